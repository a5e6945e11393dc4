import { operator } from '../../engine/operator.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { selectedTokens } from '../../kernels/networks/shape.ts'
import { encodeFrames } from '../../kernels/networks/video-model.ts'
import type { Frames, Prompt } from '../kinds.ts'
import { framesPort, modelDims, promptPort } from '../ports.ts'
import { promptOf, thinkThenAnswer } from '../text/prompt.ts'
import { templates } from '../text/template.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { visionMemory } from './sizes.ts'

/** The vision tower is frozen, so its features are computed once for a clip however often the prompt is used. */
export default operator({
  summary: 'Runs the vision tower over the frames and renders the question as a prompt.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that reads the prompt.' },
    template: {
      type: 'string',
      enum: ['qwen2_base', 'pretrain'],
      default: 'qwen2_base',
      description: 'Conversation template.',
    },
    instruction: {
      type: 'string',
      default: thinkThenAnswer,
      description: 'What is asked for after the question.',
    },
    visual: {
      type: 'string',
      enum: ['frames', 'zero'],
      default: 'frames',
      description:
        'What the model is shown: the frames, or zeros in place of their features, which hide the video but not that there is one.',
    },
    joint: { type: 'string', default: ' ', description: 'Stands between the question and the instruction.' },
  },
  inputs: { frames: framesPort },
  outputs: { prompts: promptPort },
  dims: ({ model }, sizes) => modelDims(sizes, model),
  memory: ({ model }, { outline, dims }) => visionMemory(outline(model), dims.F),
  run: ({ frames }, { model: name, template, visual, ...wording }, context) => ({
    prompts: frames.pipe(
      context.each(async ({ sample, pixels }: Frames) => {
        const model = context.resource<LoadedModel>(name)
        const { text, ids } = promptOf(model.tokenizer, templates[template], sample.question, wording)
        const features = visual === 'zero' ? zeros(model, pixels) : await encodeFrames(model, pixels)
        const prompt: Prompt = { sample, text, ids, features }
        const dispose = () => model.device.freeTensor(features)
        return context.emit(prompt, { bytes: bytesOf(features), dispose, keep: false })
      }),
    ),
  }),
})

/** Features as the tower would give them, of nothing. */
function zeros({ device, shape }: LoadedModel, { shape: [frames] }: Tensor): Tensor {
  const size = [frames * selectedTokens(shape.vision), shape.vision.hidden]
  return device.tensor('features of nothing', size, 'f32', new Float32Array(sizeOf(size)))
}

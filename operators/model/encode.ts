import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { bytesOf } from '../../kernels/device/tensor.ts'
import { encodeFrames } from '../../kernels/networks/video-model.ts'
import type { Frames, Prompt } from '../kinds.ts'
import { framesPort, modelDims, promptPort } from '../ports.ts'
import { promptOf, wordingFields } from '../text/prompt.ts'
import { templateField, templateFor } from '../text/template.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { visionMemory } from './sizes.ts'
import { featureShape, zeroFeatures } from './zero-features.ts'

/** The vision tower is frozen, so a clip's features are computed once, however often the prompt is used. */
export default operator({
  summary: 'Runs the vision tower over the frames and renders the question as a prompt.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that reads the prompt.' },
    template: templateField,
    visual: {
      type: 'string',
      enum: ['frames', 'zero'],
      default: 'frames',
      description:
        'What the model sees: the frames, or zeros instead of their features. With zeros the prompt still has a video, but its content is hidden.',
    },
    ...wordingFields,
  },
  inputs: { frames: framesPort },
  outputs: { prompts: promptPort },
  drops: false,
  dims: ({ model }, sizes) => modelDims(sizes, model),
  memory: ({ model }, { outline, dims }) => visionMemory(outline(model), dims.F),
  run: ({ frames }, { model: name, template, visual, ...wording }, context) => ({
    prompts: frames.pipe(
      context.each(async ({ sample, pixels, made, ...clip }: Frames) => {
        const model = context.resource<LoadedModel>(name)
        const { text, ids } = promptOf(
          model.tokenizer,
          templateFor(model, template),
          sample.question,
          wording,
          clip,
        )
        const features =
          visual === 'zero'
            ? zeroFeatures(model.device, featureShape(model, at(pixels.shape, 0)))
            : await encodeFrames(model, pixels)
        const { indices } = clip
        const origin = made && { made: { ...made, model: name, visual, indices } }
        const prompt: Prompt = { sample, text, ids, features, ...origin }
        const dispose = () => model.device.freeTensor(features)
        return context.emit(prompt, { bytes: bytesOf(features), dispose, keep: false })
      }),
    ),
  }),
})

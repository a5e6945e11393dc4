import { operator } from '../../engine/operator.ts'
import { bytesOf } from '../../kernels/device/tensor.ts'
import type { Frames, Prompt } from '../kinds.ts'
import { framesPort, modelDims, promptPort } from '../ports.ts'
import { promptOf, wordingFields } from '../text/prompt.ts'
import { templateField, templateFor } from '../text/template.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { featuresOfFrames, shapeOfFeatures } from './frame-features.ts'
import { timingOf } from './moment-seconds.ts'
import { visionMemory } from './sizes.ts'
import { zeroFeatures } from './zero-features.ts'

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
      context.each(async ({ sample, made, ...clip }: Frames) => {
        const model = context.resource<LoadedModel>(name)
        const { text, ids } = promptOf(
          model.tokenizer,
          templateFor(model, template),
          sample.question,
          wording,
          clip,
        )
        const { indices } = clip
        const { features, options } =
          visual === 'zero'
            ? hidden(model, shapeOfFeatures(model, name, clip))
            : await featuresOfFrames(model, name, clip)
        const origin = made && { made: { ...made, model: name, visual, indices, shape: features.shape } }
        const prompt: Prompt = { sample, text, ids, features, ...timingOf(model, clip), ...origin }
        return context.emit(prompt, options)
      }),
    ),
  }),
})

/** Zeros in place of the features of frames. */
function hidden(model: LoadedModel, shape: readonly number[]) {
  const features = zeroFeatures(model.device, shape)
  const dispose = () => model.device.freeTensor(features)
  return { features, options: { bytes: bytesOf(features), dispose, keep: false } }
}

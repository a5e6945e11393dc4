import { operator } from '../../engine/operator.ts'
import { ignoredLabel, imagePlaceholderId } from '../../kernels/networks/packing.ts'
import { trainsVision } from '../../kernels/networks/tower-features.ts'
import type { Example, Frames, Sample } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import type { Tokenizer } from '../model/checkpoint/tokenizer.ts'
import { featuresOfFrames } from '../model/frame-features.ts'
import { timingOf } from '../model/moment-seconds.ts'
import { visionMemory } from '../model/sizes.ts'
import { examplePort, framesPort, modelDims } from '../ports.ts'
import type { ShownClip } from '../text/smolvlm-frames.ts'
import { placesOf, renderConversation, type Template, templateField, templateFor } from '../text/template.ts'
import { tokenizeWithLabels } from '../text/tokenize.ts'
import { ExampleError } from './example-error.ts'

/**
 * A frozen vision tower computes a clip's features here, once, however often the example is used. A trained one computes
 * them from the pixels in each pass.
 */
export default operator({
  summary:
    'Renders the conversation with its labels and, unless the vision tower is trained, runs the tower over the frames.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that learns.' },
    template: templateField,
  },
  inputs: { frames: framesPort },
  outputs: { examples: examplePort },
  drops: false,
  dims: ({ model }, sizes) => modelDims(sizes, model),
  memory: ({ model }, { outline, dims }) => visionMemory(outline(model), dims.F),
  run: ({ frames }, { model: name, template }, context) => ({
    examples: frames.pipe(
      context.each(async ({ sample, ...clip }: Frames, { key }) => {
        const model = context.resource<LoadedModel>(name)
        const written = exampleOf(model.tokenizer, templateFor(model, template), { sample, clip }, key)
        const { pixels } = clip
        const about = { sample, ...written, ...timingOf(model, clip) }
        if (pixels && trainsVision(model.weights)) return context.emit<Example>({ ...about, pixels })
        const { features, options } = await featuresOfFrames(model, name, clip)
        return context.emit<Example>({ ...about, features }, options)
      }),
    ),
  }),
})

/** Text, ids and labels of a sample's conversation. Throws unless it has one clip and an answer. */
export function exampleOf(
  tokenizer: Tokenizer,
  template: Template,
  { sample: { conversations, video }, clip }: { sample: Sample; clip: ShownClip },
  key: string,
): Pick<Example, 'text' | 'ids' | 'labels'> {
  if (!conversations)
    throw new ExampleError(
      'no-conversation',
      `sample ${key} (${video}): must have a conversation to learn from`,
    )
  const text = renderConversation(template, conversations, clip)
  const { ids, labels } = tokenizeWithLabels(tokenizer, template, text, key)
  const images = ids.filter(id => id === imagePlaceholderId).length
  const wanted = placesOf(template, clip)
  if (images !== wanted)
    throw new ExampleError(
      'image-count',
      `sample ${key} (${video}): must have one <image>, found ${images / (wanted || 1)}`,
    )
  if (labels.every(label => label === ignoredLabel))
    throw new ExampleError(
      'nothing-to-learn',
      `sample ${key} (${video}): must have an answer to learn, found none`,
    )
  return { text, ids, labels }
}

import { resource } from '../../engine/operator.ts'
import { withoutAdapters } from '../../kernels/networks/adapters.ts'
import { type DevicelessModel, devicelessModel } from '../../kernels/networks/memory-estimate.ts'
import type { ParameterSet } from '../../kernels/networks/parameters.ts'
import { openCheckpoint } from './checkpoint/checkpoint.ts'
import { loadModel } from './checkpoint/load-model.ts'
import { closeModel, type OpenModel } from './model.ts'
import { weightsMemory } from './sizes.ts'

/** While only an adapter is trained, the weights are those of the model itself. */
export default resource({
  summary:
    'A model as it was before training: without its adapter if only that is trained, which takes no memory, else its checkpoint opened once more, frozen.',
  kind: 'model',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that is trained.' },
  },
  sizes: ({ model }, sizes) => sizes(model),
  outline: ({ model }, outline) => frozen(outline<DevicelessModel>(model)),
  memory: ({ model }, _, outline) => {
    const policy = outline<DevicelessModel>(model)
    return trainsWeights(policy.weights)
      ? weightsMemory(frozen(policy), `products in ${policy.precision}`)
      : []
  },
  async open({ model: name }, context): Promise<OpenModel> {
    const { adapter: _, ...model } = context.resource<OpenModel>(name)
    // the model itself warns of what happens in weights that both have
    if (!trainsWeights(model.weights))
      return { ...model, weights: withoutAdapters(model.weights), warn: () => {} }
    const checkpoint = await openCheckpoint(model.folder)
    return { ...(await loadModel(model.device, checkpoint, [], model.precision)), warn: model.warn }
  },
  close: closeModel,
})

/** Whether weights change that are no adapter's. */
const trainsWeights = (weights: ParameterSet): boolean =>
  [...withoutAdapters(weights).byName.values()].some(({ gradient }) => gradient)

function frozen(model: DevicelessModel): DevicelessModel {
  if (!trainsWeights(model.weights)) return { ...model, weights: withoutAdapters(model.weights) }
  const { shape, precision, maxLength, frameWords } = model
  const weights = new Map(
    [...withoutAdapters(model.weights).byName].map(([name, { shape }]) => [name, shape]),
  )
  return devicelessModel({ shape, weights, trained: () => false, precision, maxLength, frameWords })
}

import { resource } from '../../engine/operator.ts'
import { withoutAdapters } from '../../kernels/networks/adapters.ts'
import { type DevicelessModel, devicelessModel } from '../../kernels/networks/memory-estimate.ts'
import type { ParameterSet } from '../../kernels/networks/parameters.ts'
import { openCheckpoint } from './checkpoint/checkpoint.ts'
import { type FrozenOptions, frozenFields, frozenNote, integersOf } from './checkpoint/frozen-weights.ts'
import { loadModel } from './checkpoint/load-model.ts'
import { closeModel, type OpenModel } from './model.ts'
import { weightsMemory } from './sizes.ts'

/** While only an adapter is trained, the weights are those of the model itself. */
export default resource({
  summary:
    'A model as it was before training: without its adapter if only that is trained, which takes no memory, else its checkpoint opened once more, frozen, as `weights` says.',
  kind: 'model',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that is trained.' },
    ...frozenFields,
  },
  sizes: ({ model }, sizes) => sizes(model),
  outline: (config, outline) => frozen(outline<DevicelessModel>(config.model), config),
  memory: (config, _, outline) => {
    const policy = outline<DevicelessModel>(config.model)
    if (!trainsWeights(policy.weights)) return []
    return weightsMemory(frozen(policy, config), `products as in its model${frozenNote(config)}`)
  },
  async open(config, context): Promise<OpenModel> {
    const { adapter: _, ...model } = context.resource<OpenModel>(config.model)
    // the model itself warns of what happens in weights that both have
    if (!trainsWeights(model.weights))
      return { ...model, weights: withoutAdapters(model.weights), warn: () => {} }
    const checkpoint = await openCheckpoint(model.folder)
    const { device, precision, warn } = model
    return { ...(await loadModel(device, checkpoint, [], precision, undefined, integersOf(config))), warn }
  },
  close: closeModel,
})

/** Whether weights change that are no adapter's. */
const trainsWeights = (weights: ParameterSet): boolean =>
  [...withoutAdapters(weights).byName.values()].some(({ gradient }) => gradient)

function frozen(model: DevicelessModel, config: FrozenOptions): DevicelessModel {
  if (!trainsWeights(model.weights)) return { ...model, weights: withoutAdapters(model.weights) }
  const { shape, precision, maxLength, frameWords } = model
  const weights = new Map(
    [...withoutAdapters(model.weights).byName].map(([name, { shape }]) => [name, shape]),
  )
  const sizes = { shape, weights, precision, maxLength, frameWords }
  return devicelessModel({ ...sizes, trained: () => false, integersOf: integersOf(config) })
}

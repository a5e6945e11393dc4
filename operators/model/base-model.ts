import { resource } from '../../engine/operator.ts'
import { withoutAdapters } from '../../kernels/networks/adapters.ts'
import type { DevicelessModel } from '../../kernels/networks/memory-estimate.ts'
import { freeIdleRecordings } from '../../kernels/plan/reuse.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { CheckpointError } from './files/checkpoint-error.ts'

export default resource({
  summary:
    'A model without its adapter: the reference model when only the adapter is trained. It takes no memory of its own.',
  kind: 'model',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model with the adapter.' },
  },
  sizes: ({ model }, sizes) => sizes(model),
  outline: ({ model }, outline) => {
    const paper = outline<DevicelessModel>(model)
    return { ...paper, weights: withoutAdapters(paper.weights) }
  },
  memory: () => [],
  async open({ model: name }, context): Promise<LoadedModel> {
    const { adapter, ...model } = context.resource<LoadedModel>(name)
    const weights = withoutAdapters(model.weights)
    const trained = [...weights.byName.values()].find(({ gradient }) => gradient)
    if (adapter && !trained) return { ...model, weights }
    const found = trained ? `it trains e.g. ${trained.name}` : 'it has no adapter'
    const message = `resource ${name} must have an adapter and train nothing else, but ${found}; open its checkpoint a second time instead`
    throw new CheckpointError({ code: 'bad-config', message })
  },
  close: ({ device, weights }) => freeIdleRecordings(device, weights),
})

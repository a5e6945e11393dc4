import { resource } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import { sharedDevice } from '../device.ts'
import { openCheckpoint } from './checkpoint.ts'
import { type LoadedModel, loadModel } from './load-model.ts'
import { restoreModel, saveModel } from './save-model.ts'
import { modelSizes, weightsMemory } from './sizes.ts'

export default resource({
  summary: 'A TinyLLaVA-Video model from a Hugging Face checkpoint folder.',
  kind: 'model',
  config: {
    path: { type: 'string', description: 'Checkpoint folder, or `builtin:shapes`.' },
    train: {
      type: 'array',
      items: { type: 'string', enum: ['connector', 'language'] },
      default: [],
      description: 'Parts whose weights an optimizer may change; the others are frozen.',
    },
    precision: {
      type: 'string',
      enum: ['float32', 'float16'],
      default: 'float32',
      description:
        'What products round their factors to; sums, norms, probabilities and losses are float32. Frozen weights are kept in it.',
    },
  },
  sizes: ({ path, train }) => modelSizes(path, train),
  memory: ({ path, train }) => weightsMemory(modelSizes(path, train)),
  async open({ path, train, precision }, context): Promise<LoadedModel> {
    const device = await sharedDevice(context)
    const checkpoint = await openCheckpoint(resolvePath(path))
    const model = await loadModel(device, checkpoint, train, precision)
    if (train.length > 0) {
      context.checkpoint({
        save: folder => saveModel(checkpoint, model, folder, context.signal),
        restore: folder => restoreModel(model, folder),
      })
    }
    return model
  },
  close: model => model.weights.free(),
})

import { resource } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import { sharedDevice } from '../device.ts'
import { openCheckpoint } from './checkpoint.ts'
import { type LoadedModel, loadModel } from './load-model.ts'

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
  },
  async open({ path, train }, context): Promise<LoadedModel> {
    const device = await sharedDevice(context)
    return loadModel(device, await openCheckpoint(await resolvePath(path)), train)
  },
  close: model => model.weights.free(),
})

import { operator } from '../../engine/operator.ts'
import { mergeAdapters } from '../../kernels/networks/adapters.ts'
import { resolvePath } from '../builtin.ts'
import { sharedDevice } from '../device.ts'
import { readAsked, writeAsked } from './asked.ts'
import { openAdapter } from './checkpoint/adapter-files.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint/checkpoint.ts'
import { loadModel } from './checkpoint/load-model.ts'
import { exportModel } from './checkpoint/save-model.ts'
import { CheckpointError } from './files/checkpoint-error.ts'

/** Sums are computed in float32 and rounded once, to the stored type. */
export default operator({
  summary:
    'Writes a checkpoint whose weights include an adapter (LoRA), so that it can be used without the adapter.',
  config: {
    path: {
      type: 'string',
      reads: 'model',
      description:
        'Checkpoint folder, `OWNER/NAME[@REVISION]` on the Hugging Face hub, or the embedded `builtin:cold-start`.',
    },
    adapter: { type: 'string', reads: 'model', description: 'PEFT folder of the adapter.' },
    folder: { type: 'string', writes: true, description: 'Folder to write; it is created if it is missing.' },
  },
  inputs: {},
  outputs: { folders: 'checkpoint-folder' },
  effects: true,
  async inspect({ path, adapter }) {
    const checkpoint = await openCheckpoint(resolvePath(path, 'model'))
    const { rank, targets } = await openAdapter(resolvePath(adapter, 'model'), checkpoint)
    refuseIntegers(checkpoint, targets)
    return [`an adapter of rank ${rank} on ${targets.length} layers`]
  },
  run: (_inputs, { path, adapter, folder }, context) => ({
    folders: context.source<string>(async function* () {
      const device = await sharedDevice(context)
      const checkpoint = await openCheckpoint(resolvePath(path, 'model'))
      const source = await openAdapter(resolvePath(adapter, 'model'), checkpoint)
      refuseIntegers(checkpoint, source.targets)
      const model = await loadModel(device, checkpoint, [], 'float32', { source, trained: false })
      try {
        await mergeAdapters(device, model.weights)
        await exportModel(checkpoint, model, folder, context.signal, weight => weight.adapter !== undefined)
        const asked = readAsked(resolvePath(adapter, 'model'))
        if (asked) writeAsked(folder, asked)
      } finally {
        model.weights.free()
      }
      const what = `the adapter ${adapter}, of rank ${source.rank} on ${source.targets.length} layers`
      context.log(`wrote ${folder}: the model ${path}, with ${what}, added to its weights`)
      yield { key: folder, value: folder }
    }),
  }),
})

/** A sum with integers would be rounded to them again, and lose most of what was trained. */
function refuseIntegers({ folder, tensors }: Checkpoint, targets: readonly string[]): void {
  const packed = targets.find(target => tensors.get(target)?.packing)
  if (packed === undefined) return
  const message = `${folder}: ${packed} is stored as integers, so no adapter can be merged into it; merge it into the checkpoint of floats, or use it as an adapter`
  throw new CheckpointError({ code: 'bad-config', message })
}

import { operator } from '../../engine/operator.ts'
import { resolvePath } from '../builtin.ts'
import { openCheckpoint } from './checkpoint/checkpoint.ts'
import { packableWeights, writeIntegers } from './checkpoint/save-integers.ts'

export default operator({
  summary:
    'Writes a checkpoint whose language model is integers: of 4 bits as AWQ packs them, or of 8 bits as GPTQ does (version 2). They are the nearest integers, without data to calibrate on.',
  config: {
    path: {
      type: 'string',
      reads: 'model',
      description: 'Checkpoint folder, `OWNER/NAME[@REVISION]` on the Hugging Face hub, or `builtin:shapes`.',
    },
    folder: { type: 'string', writes: true, description: 'Folder to write; it is created if it is missing.' },
    weights: { type: 'string', enum: ['int4', 'int8'], default: 'int4', description: 'Bits of an integer.' },
    groupSize: {
      type: 'integer',
      minimum: 8,
      default: 128,
      description:
        'Neighbours in a row that share a scale: a multiple of 8. Layers whose inputs it does not divide stay floats, as do embeddings, head, tower and connector.',
    },
  },
  inputs: {},
  outputs: { folders: 'checkpoint-folder' },
  effects: true,
  async inspect({ path, weights, groupSize }) {
    const checkpoint = await openCheckpoint(resolvePath(path, 'model'))
    return [`${packableWeights(checkpoint, { weights, groupSize }).length} layers become integers`]
  },
  run: (_inputs, { path, folder, ...options }, context) => ({
    folders: context.source<string>(async function* () {
      const checkpoint = await openCheckpoint(resolvePath(path, 'model'))
      await writeIntegers(checkpoint, folder, { ...options, signal: context.signal })
      const { length } = packableWeights(checkpoint, options)
      context.log(`wrote ${folder}: the model ${path}, with ${length} layers as ${options.weights}`)
      yield { key: folder, value: folder }
    }),
  }),
})

import { type Config, resource } from '../../engine/operator.ts'
import type { Device } from '../../kernels/device/device.ts'
import type { DevicelessModel } from '../../kernels/networks/memory-estimate.ts'
import type { ParameterSet } from '../../kernels/networks/parameters.ts'
import type { Precision } from '../../kernels/plan/recording.ts'
import { freeIdleRecordings } from '../../kernels/plan/reuse.ts'
import { resolvePath } from '../builtin.ts'
import { sharedDevice } from '../device.ts'
import { type NewAdapter, newAdapter } from './checkpoint/adapter.ts'
import { openAdapter } from './checkpoint/adapter-files.ts'
import { openCheckpoint } from './checkpoint/checkpoint.ts'
import { type LoadedModel, loadModel, type TrainedPart } from './checkpoint/load-model.ts'
import { trainedState } from './checkpoint/trained-state.ts'
import { CheckpointError } from './files/checkpoint-error.ts'
import { modelSizes, outlineOf, weightsMemory } from './sizes.ts'

const fields = {
  path: {
    type: 'string',
    reads: 'model',
    description: 'Checkpoint folder, `OWNER/NAME[@REVISION]` on the Hugging Face hub, or `builtin:shapes`.',
  },
  train: {
    type: 'array',
    items: { type: 'string', enum: ['connector', 'language', 'adapter'] },
    default: [],
    description:
      'Parts whose weights an optimizer may change; the others are frozen. `adapter` trains low-rank matrices that are added to frozen layers.',
  },
  visionTune: {
    type: 'string',
    enum: ['frozen', 'partial', 'full'],
    default: 'frozen',
    description:
      'Training of the vision tower: none (frozen), its blocks from `visionTuneFrom` on (partial), or all of it (full). For supervised training only.',
  },
  visionTuneFrom: {
    type: 'integer',
    minimum: 0,
    default: 10,
    description: 'First trained block of the vision tower, counted from 0.',
    when: { visionTune: 'partial' },
  },
  precision: {
    type: 'string',
    enum: ['auto', 'float32', 'float16'],
    default: 'auto',
    description:
      'Number format of the factors of products and of frozen weights; sums, norms, probabilities and losses are float32. auto: float16 if the matrix units of the GPU support it, else float32.',
  },
  recompute: {
    type: 'string',
    enum: ['none', 'mlp', 'full'],
    default: 'none',
    description:
      'What the backward pass computes again instead of keeping it from the forward pass: the feed-forward parts of the language model (mlp), or its whole blocks (full). Less memory, more time, the same gradients.',
  },
  adapter: {
    type: 'string',
    reads: 'model',
    default: '',
    description: 'PEFT folder of the adapter to start from; empty for a new one, if `train` names `adapter`.',
  },
  loraRank: { type: 'integer', minimum: 1, default: 16, description: 'Rank of a new adapter.' },
  loraAlpha: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 32,
    description: 'Scale of a new adapter: the product of its matrices is multiplied by loraAlpha / loraRank.',
  },
  loraTargets: {
    type: 'array',
    items: { type: 'string' },
    minItems: 1,
    default: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
    description:
      'Linear layers of the language model and the connector that a new adapter changes, by the ends of their names.',
  },
  loraSeed: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description: 'The same seed gives the same new adapter.',
  },
} as const

export default resource({
  summary:
    'A video model from a Hugging Face checkpoint folder, and an adapter (LoRA) of it in the PEFT format.',
  kind: 'model',
  config: fields,
  sizes: config => modelSizes(paperOf(config)),
  outline: paperOf,
  memory: config => weightsMemory(paperOf(config), precisionNote(config)),
  async open(config, context): Promise<OpenModel> {
    const { path, train } = config
    const device = await sharedDevice(context)
    const precision = precisionOn(device, config.precision)
    if (config.precision === 'auto' && precision === 'float32')
      context.log(`${path}: products are in float32: ${device.info.device} has no matrix units for float16`)
    const checkpoint = await openCheckpoint(resolvePath(path, 'model'))
    const adapted = train.includes('adapter')
    const source =
      config.adapter !== ''
        ? await openAdapter(resolvePath(config.adapter, 'model'), checkpoint)
        : adapted
          ? newAdapter(checkpoint, newAdapterOf(config))
          : undefined
    const parts = partsOf(config)
    if (config.visionTune === 'partial')
      checkBlocks(config.visionTuneFrom, checkpoint.config.vision.network.blocks)
    const adapter = source && { source, trained: adapted }
    const loaded = await loadModel(device, checkpoint, parts, precision, adapter)
    const warn = (what: string) => context.log(`${path}: ${what}`, 'warn')
    const model: OpenModel = { ...loaded, recompute: config.recompute, warn }
    if (model.saturated > 0)
      warn(`${model.saturated} weights are beyond the range of float16 and were set to its largest number`)
    const trained = adapted ? [...parts, 'adapter'] : parts
    if (trained.length > 0) context.checkpoint(trainedState(checkpoint, model, trained, context.signal))
    return model
  },
  async close({ device, weights, warn }) {
    freeIdleRecordings(device, weights)
    try {
      const cuts = await cutsOf(device, weights)
      if (cuts > 0) warn(`activations were clamped to float16's range ${cuts} times outside of updates`)
    } finally {
      weights.free()
    }
  },
})

/** A loaded model that can warn, e.g. when activations were clamped to float16's range. */
export interface OpenModel extends LoadedModel {
  warn(what: string): void
}

async function cutsOf(device: Device, { lossScale }: ParameterSet): Promise<number> {
  const [cuts = 0] = lossScale ? await device.readIntegers(lossScale.forwardCuts) : []
  return cuts
}

type ModelFields = Config<typeof fields>

/** Matrix units make float16 several times as fast; without them it gains nothing. */
const precisionOn = ({ units }: Device, precision: ModelFields['precision']): Precision => {
  if (precision !== 'auto') return precision
  return units === 'none' ? 'float32' : 'float16'
}

/** The model that estimates are for, without an adapter that is read from a folder: only the folder says its size. */
function paperOf(config: ModelFields): DevicelessModel {
  const { path, train, precision, adapter, recompute } = config
  const added = train.includes('adapter') && adapter === '' ? newAdapterOf(config) : undefined
  const planned = precision === 'auto' ? 'float16' : precision
  return { ...outlineOf({ path, train: partsOf(config), precision: planned, adapter: added }), recompute }
}

const precisionNote = ({ precision }: ModelFields): string =>
  precision === 'auto' ? 'products in float16, for a GPU with matrix units' : `products in ${precision}`

function partsOf({ train, visionTune, visionTuneFrom }: ModelFields): TrainedPart[] {
  const parts: TrainedPart[] = train.filter(part => part !== 'adapter')
  if (visionTune === 'full') parts.push('vision')
  if (visionTune === 'partial') parts.push(`vision from ${visionTuneFrom}`)
  return parts
}

function checkBlocks(first: number, blocks: number): void {
  if (first < blocks) return
  const message = `visionTuneFrom: must be less than the ${blocks} blocks that the model computes, got ${first}: nothing would be trained`
  throw new CheckpointError({ code: 'bad-config', message })
}

const newAdapterOf = ({ loraRank, loraAlpha, loraTargets, loraSeed }: ModelFields): NewAdapter => {
  return { rank: loraRank, alpha: loraAlpha, targets: loraTargets, seed: loraSeed }
}

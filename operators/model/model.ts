import { type Config, type GraphPart, resource } from '../../engine/operator.ts'
import { showBytes } from '../../engine/shared/bytes.ts'
import type { Device } from '../../kernels/device/device.ts'
import { sizeOf } from '../../kernels/device/tensor.ts'
import type { DevicelessModel } from '../../kernels/networks/memory-estimate.ts'
import type { ParameterSet } from '../../kernels/networks/parameters.ts'
import type { Precision } from '../../kernels/plan/recording.ts'
import { freeIdleRecordings } from '../../kernels/plan/reuse.ts'
import { resolvePath } from '../builtin.ts'
import { sharedDevice } from '../device.ts'
import { askedIn, askedOtherwise, readAsked } from './asked.ts'
import { type NewAdapter, newAdapter } from './checkpoint/adapter.ts'
import { openAdapter, storedAdapter } from './checkpoint/adapter-files.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint/checkpoint.ts'
import { frozenFields, frozenNote, integersOf } from './checkpoint/frozen-weights.ts'
import {
  isTrainedBy,
  type LoadedModel,
  loadModel,
  type TrainedPart,
  trainedAndAdapted,
  trainedIntegers,
} from './checkpoint/load-model.ts'
import { packedBytes } from './checkpoint/packed-tensors.ts'
import type { StoredTensor } from './checkpoint/packing.ts'
import { trainedState } from './checkpoint/trained-state.ts'
import { CheckpointError } from './files/checkpoint-error.ts'
import { bytesPerElement } from './files/float-formats.ts'
import { refuseUnrecordable } from './recordable.ts'
import { modelSizes, outlineOf, weightsMemory } from './sizes.ts'

const fields = {
  path: {
    type: 'string',
    reads: 'model',
    description:
      'Checkpoint folder, `OWNER/NAME[@REVISION]` on the Hugging Face hub, or the embedded `builtin:cold-start`.',
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
      'Training of the vision tower: none (frozen), its blocks from `visionTuneFrom` on (partial), or all of it (full). As in the published code, partial means blocks alone: weights before and after them, such as the last norm of SmolVLM, stay as they are. For supervised training only.',
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
  ...frozenFields,
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
  lora: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description:
      'Rank of a new adapter (LoRA) that is trained instead of the parts in `train`; 0 trains those. `loraAlpha` and `loraTargets` hold for it.',
  },
  loraRank: { type: 'integer', minimum: 1, default: 16, description: 'Rank of a new adapter.' },
  loraAlpha: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 32,
    description: 'Scale of a new adapter: the product of its matrices is multiplied by loraAlpha / its rank.',
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
  async inspect(given, { parts = [], name = '' }) {
    const config = trainedOf(given)
    const { checkpoint, source } = await openFiles(config)
    if (checkpoint.config.ownParts) refuseUnrecordable(paperOf(config), checkpoint)
    const { dtypes, bytes } = storedIn(checkpoint)
    const adapted = source ? `, an adapter of rank ${source.rank} on ${source.targets.length} layers` : ''
    const other = otherwise(config, parts, name)
    const stored = `${checkpoint.tensors.size} tensors in ${dtypes}, ${showBytes(bytes)}${adapted}`
    return other === undefined ? [stored] : [stored, other]
  },
  async open(given, context): Promise<OpenModel> {
    const config = trainedOf(given)
    const { path, train } = config
    const device = await sharedDevice(context)
    const precision = precisionOn(device, config.precision)
    if (config.precision === 'auto' && precision === 'float32')
      context.log(`${path}: products are in float32: ${device.info.device} has no matrix units for float16`)
    if (path.startsWith('builtin:'))
      context.log(`the model is ${path}, a small one to try flow with (${own})`)
    const { checkpoint, source } = await openFiles(config)
    const adapted = train.includes('adapter')
    const parts = partsOf(config)
    const adapter = source && { source, trained: adapted }
    const loaded = await loadModel(device, checkpoint, parts, precision, adapter, integersOf(config))
    const warn = (what: string) => context.log(`${path}: ${what}`, 'warn')
    const model: OpenModel = { ...loaded, recompute: config.recompute, warn }
    if (model.saturated > 0)
      warn(`${model.saturated} weights are beyond the range of float16 and were set to its largest number`)
    const trained = adapted ? [...parts, 'adapter'] : parts
    const other = otherwise(config, context.parts, context.node)
    if (other !== undefined) warn(other)
    const saved = { asked: askedIn(context.parts, context.node), signal: context.signal }
    if (trained.length > 0) context.checkpoint(trainedState(checkpoint, model, trained, saved))
    return model
  },
  close: closeModel,
})

/** How to name another model than an embedded one. */
const own = 'your own: --set model=DIR, or an id of the Hugging Face hub'

/** The checkpoint and the adapter that a config names, with every fault of them that can be found on disk. */
async function openFiles(config: ModelFields) {
  const checkpoint = await openCheckpoint(resolvePath(config.path, 'model'))
  const source =
    config.adapter !== ''
      ? await openAdapter(resolvePath(config.adapter, 'model'), checkpoint)
      : config.train.includes('adapter')
        ? newAdapter(checkpoint, newAdapterOf(config))
        : undefined
  if (config.visionTune === 'partial')
    checkBlocks(config.visionTuneFrom, checkpoint.config.vision.network.blocks)
  const isTrained = isTrainedBy(partsOf(config))
  const packed = [...checkpoint.tensors].find(([name, { packing }]) => packing && isTrained(name))
  if (packed) throw trainedIntegers(checkpoint.folder, packed[0])
  const both = source?.targets.find(isTrained)
  if (both !== undefined) throw trainedAndAdapted(checkpoint.folder, both)
  return { checkpoint, source }
}

/** What a graph does otherwise than the training that wrote the adapter, or the model without one. */
function otherwise(
  { path, adapter }: ModelFields,
  parts: readonly GraphPart[],
  name: string,
): string | undefined {
  const trained = readAsked(resolvePath(adapter === '' ? path : adapter, 'model'))
  return trained && askedOtherwise(trained, parts, name)
}

/** The formats and the size of the weights that a model computes with. */
function storedIn({ tensors }: Checkpoint): { dtypes: string; bytes: number } {
  const all = [...tensors.values()]
  const nameOf = ({ dtype, packing }: StoredTensor) =>
    packing ? `integers of ${packing.bits} bits (${packing.method})` : dtype
  const dtypes = [...new Set(all.map(nameOf))].join(', ')
  const bytesOf = (one: StoredTensor) =>
    one.packing ? packedBytes(one) : sizeOf(one.shape) * bytesPerElement[one.dtype]
  const bytes = all.reduce((sum, one) => sum + bytesOf(one), 0)
  return { dtypes, bytes }
}

/** A loaded model that can warn, e.g. when activations were clamped to float16's range. */
export interface OpenModel extends LoadedModel {
  warn(what: string): void
}

/** Frees a model of its own weights; warns of activations that were clamped. */
export async function closeModel({ device, weights, warn }: OpenModel): Promise<void> {
  freeIdleRecordings(device, weights)
  try {
    const cuts = await cutsOf(device, weights)
    if (cuts > 0) warn(`activations were clamped to float16's range ${cuts} times outside of updates`)
  } finally {
    weights.free()
  }
}

async function cutsOf(device: Device, { lossScale }: ParameterSet): Promise<number> {
  const [cuts = 0] = lossScale ? await device.readIntegers(lossScale.forwardCuts) : []
  return cuts
}

type ModelFields = Config<typeof fields>

/** The config in which `lora` is put into the fields that it stands for. */
const trainedOf = (config: ModelFields): ModelFields =>
  config.lora === 0 ? config : { ...config, train: ['adapter'], loraRank: config.lora }

/** Matrix units make float16 several times as fast; without them it gains nothing. */
const precisionOn = ({ units }: Device, precision: ModelFields['precision']): Precision => {
  if (precision !== 'auto') return precision
  return units === 'none' ? 'float32' : 'float16'
}

/** The model that estimates are for. */
function paperOf(given: ModelFields): DevicelessModel {
  const config = trainedOf(given)
  const { path, train, precision, adapter, recompute } = config
  const added =
    adapter !== '' ? storedAdapter(adapter) : train.includes('adapter') ? newAdapterOf(config) : undefined
  const planned = precision === 'auto' ? 'float16' : precision
  const options = { path, train: partsOf(config), precision: planned, adapter: added } as const
  return { ...outlineOf({ ...options, integersOf: integersOf(config) }), recompute }
}

const precisionNote = (config: ModelFields): string => {
  const { precision } = config
  const products =
    precision === 'auto'
      ? 'products in float16 on a GPU with matrix units, else in float32'
      : `products in ${precision}`
  return products + frozenNote(config)
}

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

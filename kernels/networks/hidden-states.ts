import type { Mask } from '../attention/softmax.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import { addRows, gatherInto } from '../layers/gather.ts'
import type { Pass } from '../layers/pass.ts'
import type { Recompute } from '../layers/recompute.ts'
import { type Rotation, rotationTables, streamRotation } from '../layers/rope.ts'
import { derived } from '../plan/derived.ts'
import type { Recording } from '../plan/recording.ts'
import { ofShape } from './expected-shape.ts'
import { attendWithin, embeddingTable } from './language-weights.ts'
import { type Packed, positionRoom, type Sequence } from './packing.ts'
import type { ParameterSet } from './parameters.ts'
import type { Attend, LanguageShape, ModelShape } from './shape.ts'
import { towerFeatures } from './tower-features.ts'

export interface HiddenStates {
  /** (rows, hidden): text embeddings with the visual tokens spliced in. */
  embeddings: Tensor
  /** (rows, hidden): after the last norm. */
  hidden: Tensor
}

export interface HiddenStatesOptions {
  sequences: readonly Sequence[]
  /** The packing of the sequences. */
  packed: Packed
  /** Called with the keys and values of a layer before its rows attend. */
  onKeysAndValues?: (layer: number, keys: Tensor, values: Tensor) => void
  recompute?: Recompute
}

/** Runs connector, splice and language model over packed sequences. */
export function hiddenStates(
  pass: Pass,
  { weights, shape }: { weights: ParameterSet; shape: ModelShape },
  { sequences, packed, onKeysAndValues, recompute = 'none' }: HiddenStatesOptions,
): HiddenStates {
  const { recording } = pass
  const table = embeddingTable(weights)
  const visuals = sequences.map(sequence => {
    const { pixels } = sequence
    const features = sequence.features ?? (pixels && towerFeatures(pass, weights, shape.vision, pixels))
    return features && visualTokens(pass, { weights, shape }, features)
  })
  const { rows } = packed.packing
  const embeddings = pass.output('embeddings', [rows, shape.language.hidden], visuals, [table])
  gatherInto(pass, table, embeddings, () => packed.packing.tokens)
  visuals.forEach((visual, i) => {
    if (visual) gatherInto(pass, visual, embeddings, () => packed.packing.visual[i])
  })
  const list = (label: 'segments' | 'parents') => {
    const values = derived(
      () => packed.packing,
      packing => Uint32Array.from(packing[label]),
    )
    return recording.input(label, [rows], values)
  }
  const mask: Mask = { kind: 'causal', segments: list('segments'), parents: list('parents') }
  const rotation = rotationOf(recording, shape.language, packed)
  const attendWithinRows = attendWithin(pass, shape.language, mask)
  const attend: Attend = (layer, queries, keys, values) => {
    onKeysAndValues?.(layer, keys, values)
    return attendWithinRows(layer, queries, keys, values)
  }
  // Keys and values that are stored for later are copied from float32.
  const attendedType = onKeysAndValues ? 'f32' : recording.factorType
  const after = (layer: number, x: Tensor) => deepened(pass, x, layer, { visuals, packed, shape })
  const options = { embeddings, rotation, attend, recompute, attendedType, after }
  const hidden = shape.language.record(pass, weights, options)
  return { embeddings, hidden: ofShape(hidden, [rows, shape.language.hidden], 'a language model') }
}

/** The visual tokens of features, and what the connector has for layers below them. */
function visualTokens(
  pass: Pass,
  { weights, shape: { connector, language } }: { weights: ParameterSet; shape: ModelShape },
  features: Tensor,
): Tensor {
  const count = connector.visualTokens(sizeOf(features.shape.slice(0, -1))) * ((connector.deep ?? 0) + 1)
  return ofShape(connector.record(pass, weights, features), [count, language.hidden], 'a connector')
}

/** The rotations of packed rows: by one position each, or by three. */
function rotationOf(
  recording: Recording,
  { headSize, ropeTheta, streams }: LanguageShape,
  packed: Packed,
): Rotation {
  const { rows } = packed.packing
  const tables = rotationTables(recording, positionRoom(packed.packing), headSize, ropeTheta)
  const values = derived(
    () => packed.packing,
    ({ positions, gridRows, gridColumns }) =>
      Uint32Array.from(streams ? [...positions, ...gridRows, ...gridColumns] : positions),
  )
  const positions = recording.input('positions', streams ? [3, rows] : [rows], values)
  return streams ? streamRotation(recording, { ...tables, positions }, streams) : { ...tables, positions }
}

/** Hidden states with what the connector has for this layer added at the visual tokens. */
function deepened(
  pass: Pass,
  x: Tensor,
  layer: number,
  {
    visuals,
    packed,
    shape: { connector },
  }: { visuals: readonly (Tensor | undefined)[]; packed: Packed; shape: ModelShape },
): Tensor {
  const { deep = 0 } = connector
  if (layer >= deep) return x
  const shown = visuals.flatMap((visual, i) => (visual ? [{ visual, i }] : []))
  if (shown.length === 0) return x
  const pairs = shown.map(({ visual, i }) => {
    const first = ((layer + 1) * visual.shape[0]) / (deep + 1)
    return derived(
      () => packed.packing,
      ({ visual }) => visual[i].map(({ to, from }) => ({ to, from: from + first })),
    )
  })
  return addRows(
    pass,
    x,
    shown.map(({ visual }) => visual),
    pairs,
  )
}

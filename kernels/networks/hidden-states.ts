import type { Mask } from '../attention/softmax.ts'
import type { Tensor } from '../device/tensor.ts'
import { gatherInto } from '../layers/gather.ts'
import type { Pass } from '../layers/pass.ts'
import type { Recompute } from '../layers/recompute.ts'
import { type Rotation, rotationTables } from '../layers/rope.ts'
import { derived } from '../plan/derived.ts'
import { attendWithin, embeddingTable } from './language-weights.ts'
import { type Packed, positionRoom, type Sequence } from './packing.ts'
import type { ParameterSet } from './parameters.ts'
import type { Attend, ModelShape } from './shape.ts'
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
    return features && shape.connector.record(pass, weights, features)
  })
  const { rows } = packed.packing
  const embeddings = pass.output('embeddings', [rows, shape.language.hidden], visuals, [table])
  gatherInto(pass, table, embeddings, () => packed.packing.tokens)
  visuals.forEach((visual, i) => {
    if (visual) gatherInto(pass, visual, embeddings, () => packed.packing.visual[i])
  })
  const list = (label: 'segments' | 'parents' | 'positions') => {
    const values = derived(
      () => packed.packing,
      packing => Uint32Array.from(packing[label]),
    )
    return recording.input(label, [rows], values)
  }
  const mask: Mask = { kind: 'causal', segments: list('segments'), parents: list('parents') }
  const { headSize, ropeTheta } = shape.language
  const rotation: Rotation = {
    ...rotationTables(recording, positionRoom(packed.packing), headSize, ropeTheta),
    positions: list('positions'),
  }
  const attendWithinRows = attendWithin(pass, shape.language, mask)
  const attend: Attend = (layer, queries, keys, values) => {
    onKeysAndValues?.(layer, keys, values)
    return attendWithinRows(layer, queries, keys, values)
  }
  // Keys and values that are stored for later are copied from float32.
  const attendedType = onKeysAndValues ? 'f32' : recording.factorType
  const options = { embeddings, rotation, attend, recompute, attendedType }
  const hidden = shape.language.record(pass, weights, options)
  return { embeddings, hidden }
}

import type { Mask } from '../attention/softmax.ts'
import type { Tensor } from '../device/tensor.ts'
import { gatherInto } from '../layers/gather.ts'
import type { Pass } from '../layers/pass.ts'
import type { Recompute } from '../layers/recompute.ts'
import { type Rotation, rotationTables } from '../layers/rope.ts'
import { groupResampler } from './group-resampler.ts'
import { type Attend, attendWithin, embeddingTable, languageModel } from './language-model.ts'
import type { Packing, Sequence } from './packing.ts'
import type { ParameterSet } from './parameters.ts'
import type { ModelShape } from './shape.ts'
import { visionFeatures } from './vision-tower.ts'

export interface HiddenStates {
  /** (rows, hidden): text embeddings with the visual tokens spliced in. */
  embeddings: Tensor
  /** (rows, hidden): after the last norm. */
  hidden: Tensor
  /** u32: the ids of the packing's text tokens; undefined if it has none. */
  tokens: Tensor | undefined
}

export interface HiddenStatesOptions {
  sequences: readonly Sequence[]
  /** The packing of the sequences. */
  packing: Packing
  /** Called with the keys and values of a layer before its rows attend. */
  onKeysAndValues?: (layer: number, keys: Tensor, values: Tensor) => void
  recompute?: Recompute
}

/** Runs connector, splice and language model over packed sequences. */
export function hiddenStates(
  pass: Pass,
  { weights, shape }: { weights: ParameterSet; shape: ModelShape },
  { sequences, packing, onKeysAndValues, recompute = 'none' }: HiddenStatesOptions,
): HiddenStates {
  const { recording } = pass
  const table = embeddingTable(weights)
  const visuals = sequences.map(sequence => {
    const { pixels } = sequence
    const features = sequence.features ?? (pixels && visionFeatures(pass, weights, shape.vision, pixels))
    return features && groupResampler(pass, weights, shape.connector, features)
  })
  const embeddings = pass.output('embeddings', [packing.rows, shape.language.hidden], visuals, [table])
  const tokens = gatherInto(pass, table, embeddings, packing.tokens)
  visuals.forEach((visual, i) => {
    if (visual) gatherInto(pass, visual, embeddings, packing.visual[i])
  })
  const list = (label: string, values: readonly number[]) =>
    recording.constant(label, [values.length], Uint32Array.from(values))
  const mask: Mask = {
    kind: 'causal',
    segments: list('segments', packing.segments),
    parents: list('parents', packing.parents),
  }
  const { headSize, ropeTheta } = shape.language
  const rotation: Rotation = {
    ...rotationTables(recording, Math.max(...packing.positions) + 1, headSize, ropeTheta),
    positions: list('positions', packing.positions),
  }
  const attendWithinRows = attendWithin(pass, shape.language, mask)
  const attend: Attend = (layer, queries, keys, values) => {
    onKeysAndValues?.(layer, keys, values)
    return attendWithinRows(layer, queries, keys, values)
  }
  // Keys and values that are stored for later are copied from float32.
  const attendedType = onKeysAndValues ? 'f32' : recording.factorType
  const options = { embeddings, rotation, attend, recompute, attendedType }
  const hidden = languageModel(pass, weights, shape.language, options)
  return { embeddings, hidden, tokens }
}

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
  /** u32: the ids of the packing's tokens; none when there are none. */
  tokens: Tensor | undefined
}

/** Connector, splice and language model over packed sequences. `wrap` may stand around the usual attention among rows. */
export function hiddenStates(
  pass: Pass,
  weights: ParameterSet,
  shape: ModelShape,
  sequences: readonly Sequence[],
  packing: Packing,
  wrap?: (attend: Attend) => Attend,
  recompute: Recompute = 'none',
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
  const within = attendWithin(pass, shape.language, mask)
  const attend = wrap?.(within) ?? within
  // Who wraps may keep keys and values for later, which is done in float32.
  const type = wrap ? 'f32' : recording.factorType
  const hidden = languageModel(pass, weights, shape.language, embeddings, rotation, attend, recompute, type)
  return { embeddings, hidden, tokens }
}

import { type BufferSpec, kernel, type Target, targetKey } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { group } from '../wgsl/workgroup.ts'

// Softmax over rows of scores, and its gradient, for the plain attention that keeps its scores in memory: P = exp(S − max S) /
// Σ exp(S − max S) over the keys that a row sees, in place. One workgroup a row; its lanes stride over the keys:
//
//   keys   0 1 2 3 4 5 6 7 8 …       three passes over the row: the largest score; exponentials (0 for hidden keys) and
//   lanes  0 1 2 3 0 1 2 3 0 …       their sum; the quotient. Sums over lanes are `group_sum` of wgsl/workgroup.ts.
//
// The gradient is dS = scale · P ∘ (dP − Σ P ∘ dP). The reference is `softmaxReference`; the gradient's test compares it with
// finite differences of the reference.

export type Mask =
  | { kind: 'none' }
  /** u32 (outer): a row sees the keys before its outer index's length. */
  | { kind: 'lengths'; lengths: Tensor }
  /** u32 (rows) each: row i sees key j <= i of its own segment and of its segment's parent. */
  | { kind: 'causal'; segments: Tensor; parents: Tensor }

interface Extents {
  outer: number
  inner: number
  rows: number
  keys: number
}

/**
 * Scores (outer, inner, rows, keys), contiguous, become probabilities over the keys that a row sees, in place.
 * Hidden keys become exactly 0; a row that sees nothing becomes all 0. With `causal`, keys <= rows. With `runs`
 * (`VisibleRuns.ofRows` of a causal mask) only the keys in them are read and written.
 */
export function softmax(
  recording: Recording,
  options: Extents & { scores: Tensor; mask: Mask; runs?: Tensor | undefined },
): void {
  const { scores, mask, runs, outer, inner, rows, keys } = options
  const count = outer * inner * rows
  const { kind, ...lists } = mask
  const buffers: Record<string, Tensor> = { scores, ...lists, ...(runs && { runs }) }
  recording.dispatch(forward(recording.target, kind, runs !== undefined), {
    params: { count, rows, keys, rows_of_outer: inner * rows },
    buffers,
    grid: count,
  })
}

/** dS = scale · P ∘ (dP − Σ P·dP) over each row of keys; `gradient` holds dP and becomes dS, both laid out as scores. */
export function softmaxBackward(
  recording: Recording,
  options: Extents & { probabilities: Tensor; gradient: Tensor; scale: number; runs?: Tensor | undefined },
): void {
  const { probabilities, gradient, runs, outer, inner, rows, keys, scale } = options
  const count = outer * inner * rows
  const buffers: Record<string, Tensor> = { probabilities, gradient, ...(runs && { runs }) }
  recording.dispatch(backward(recording.target, runs !== undefined), {
    params: { count, rows, keys, scale },
    buffers,
    grid: count,
  })
}

/** `softmax` as plain loops: `sees(outer, row, key)` is the mask. */
export function softmaxReference(
  scores: ArrayLike<number>,
  { outer, inner, rows, keys }: Extents,
  sees: (outer: number, row: number, key: number) => boolean,
): Float64Array {
  const probabilities = new Float64Array(scores.length)
  for (let row = 0; row < outer * inner * rows; row++) {
    const seen = Array.from({ length: keys }, (_, j) => j).filter(j =>
      sees(Math.floor(row / (inner * rows)), row % rows, j),
    )
    const largest = Math.max(...seen.map(j => scores[row * keys + j]))
    const weights = seen.map(j => Math.exp(scores[row * keys + j] - largest))
    const sum = weights.reduce((a, b) => a + b, 0)
    seen.forEach((j, i) => {
      probabilities[row * keys + j] = weights[i] / sum
    })
  }
  return probabilities
}

/** How each mask bounds a row's keys, and which of the keys before `limit` the row sees. */
const masks: Record<Mask['kind'], { buffers: Record<string, BufferSpec>; limit: string; sees: string }> = {
  none: { buffers: {}, limit: 'params.keys', sees: 'true' },
  lengths: {
    buffers: { lengths: { element: 'u32', access: 'read' } }, // (outer)
    limit: 'min(lengths[index / params.rows_of_outer], params.keys)',
    sees: 'true',
  },
  causal: {
    // (rows) each
    buffers: { segments: { element: 'u32', access: 'read' }, parents: { element: 'u32', access: 'read' } },
    limit: 'min(index % params.rows + 1u, params.keys)',
    sees: 'segments[j] == segment || segments[j] == parent',
  },
}

// One workgroup a row: the largest score, then exponentials (0 for hidden keys) and their sum, then the quotient.
function forward(target: Target, kind: Mask['kind'], inRuns: boolean) {
  const { width, enables, functions } = group(target)
  const { limit, sees, ...mask } = masks[kind]
  const scores: BufferSpec = { element: 'f32', access: 'write' } // (outer, inner, rows, keys)
  const buffers: Record<string, BufferSpec> = { scores, ...mask.buffers, ...(inRuns && { runs: runsSpec }) }
  const eachKey = inRuns ? keysInRuns(width) : keysUpTo('limit', width)
  const isSeen = inRuns ? `j < limit && (${sees})` : sees
  return kernel(['softmax', targetKey(target), kind, inRuns], () => ({
    name: `softmax_${kind}${inRuns ? '_in_runs' : ''}`,
    enables,
    params: { count: 'u32', rows: 'u32', keys: 'u32', rows_of_outer: 'u32' },
    buffers,
    code: `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = workgroup_index(id);
  if (index >= params.count) { return; }
  let start = index * params.keys;
  let limit = ${limit};
  ${kind === 'causal' ? 'let segment = segments[index % params.rows];\n  let parent = parents[index % params.rows];' : ''}
  ${inRuns ? firstRun('index') : ''}
  var largest = -3.4e38;
  ${eachKey(`if (${isSeen}) { largest = max(largest, scores[start + j]); }`)}
  largest = group_max(largest, lane);
  var sum = 0.0;
  ${eachKey(`var weight = 0.0;
    if (${isSeen}) { weight = exp(scores[start + j] - largest); }
    scores[start + j] = weight;
    sum += weight;`)}
  sum = group_sum(sum, lane);
  let factor = select(0.0, 1.0 / sum, sum > 0.0);
  ${eachKey('scores[start + j] *= factor;')}
  ${inRuns ? '' : `for (var j = limit + lane; j < params.keys; j += ${width}u) { scores[start + j] = 0.0; }`}
}`,
  }))
}

// One workgroup a row: lanes stride over the keys.
function backward(target: Target, inRuns: boolean) {
  const { width, enables, functions } = group(target)
  const buffers: Record<string, BufferSpec> = {
    probabilities: { element: 'f32', access: 'read' }, // (outer, inner, rows, keys)
    gradient: { element: 'f32', access: 'write' }, // (outer, inner, rows, keys)
    ...(inRuns && { runs: runsSpec }),
  }
  const eachKey = inRuns ? keysInRuns(width) : keysUpTo('params.keys', width)
  return kernel(['softmax_backward', targetKey(target), inRuns], () => ({
    name: `softmax_backward${inRuns ? '_in_runs' : ''}`,
    enables,
    params: { count: 'u32', rows: 'u32', keys: 'u32', scale: 'f32' },
    buffers,
    code: `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = workgroup_index(id);
  if (index >= params.count) { return; }
  let start = index * params.keys;
  ${inRuns ? firstRun('index') : ''}
  var sum = 0.0;
  ${eachKey('sum = fma(probabilities[start + j], gradient[start + j], sum);')}
  sum = group_sum(sum, lane);
  ${eachKey('gradient[start + j] = params.scale * probabilities[start + j] * (gradient[start + j] - sum);')}
}`,
  }))
}

const runsSpec: BufferSpec = { element: 'u32', access: 'read' } // (tiles of 16 rows, 4)

const firstRun = (index: string): string => `let first_run = ${index} % params.rows / 16u * 4u;`

/** A loop over the keys `j` of a lane below an end, with that body. */
const keysUpTo = (end: string, width: number) => (body: string) =>
  `for (var j = lane; j < ${end}; j += ${width}u) {
    ${body}
  }`

/** The same over the keys of both runs. */
const keysInRuns = (width: number) => (body: string) =>
  `for (var run = first_run; run < first_run + 4u; run += 2u) {
    for (var j = runs[run] + lane; j < runs[run + 1u]; j += ${width}u) {
      ${body}
    }
  }`

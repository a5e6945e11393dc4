// Log-probability of one token of each row of logits, and the entropy of the row: the quantities of a language model's loss.
//
//   logits  │ l0 l1 l2 … l0 l1 l2 … │  forward: one workgroup for each row: maximum, then Σ exp(z − max) and its moment
//   row     │── part ──│── part ──│…│  backward: one workgroup for each 4096 logits of a row, overwritten by their gradient
//
// With z = logits / temperature and p = softmax(z):
//   log p[target] = (z[target] − max) − log Σ exp(z − max)      subtracting the maximum keeps exp within range, and the two
//                                                               large numbers cancel exactly before the sum is used
//   entropy = −Σ p log p                                        = log Σ exp(z − max) − Σ (z − max) exp(z − max) / Σ exp(…)
//   d log p[target] / dz[v] = [v = target] − p[v],   d entropy / dz[v] = −p[v] (log p[v] + entropy)
//
// (Goodfellow, Bengio & Courville, "Deep Learning", 4.1 and 6.2.2.3.) The forward needs sums over the row, so a row is one
// workgroup; the backward has all sums already, so a row is split to use the whole GPU. The reference is
// `logProbabilityReference`; the backward is tested against finite differences of it.

import { kernel, type Target, targetKey } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { group } from '../wgsl/workgroup.ts'

/** A chunk of logit rows; its row r is row `firstRow` + r of the tensors over all rows. */
export interface LogitRows {
  /** (rows, vocabulary) */
  logits: Tensor
  /** u32 (all rows), each less than `vocabulary`. */
  targets: Tensor
  firstRow: number
  rows: number
  vocabulary: number
  /** Divides the logits; z below is logit / temperature. */
  temperature: number
  /** (all rows): log Σ exp(z) */
  logSums: Tensor
  /** (all rows): −Σ p log p, with p = exp(z − logSums) */
  entropies: Tensor
}

/** Writes logProbs[r] = z[r, targets[r]] − logSums[r], the log sums and the entropies, from `firstRow` on. */
export function logProbability(recording: Recording, options: LogitRows & { logProbs: Tensor }): void {
  const { logits, targets, firstRow, rows, vocabulary, temperature, logProbs, logSums, entropies } = options
  recording.dispatch(forward(recording.target), {
    params: { first_row: firstRow, rows, vocabulary, scale: 1 / temperature },
    buffers: { logits, targets, logProbs, logSums, entropies },
    grid: rows,
  })
}

/**
 * Overwrites the logits with dlogits[r, v] = (coefficients[r] · ([v = targets[r]] − p) − entropyCoefficients[r] · p (log p +
 * entropies[r])) / temperature.
 */
export function logProbabilityBackward(
  recording: Recording,
  options: LogitRows & { coefficients: Tensor; entropyCoefficients: Tensor },
): void {
  const { firstRow, rows, vocabulary, temperature, ...tensors } = options
  const { logits, targets, logSums, entropies, coefficients, entropyCoefficients } = tensors
  const parts = Math.ceil(vocabulary / partSize)
  recording.dispatch(backward(recording.target), {
    params: { first_row: firstRow, rows, vocabulary, parts, scale: 1 / temperature },
    buffers: { logits, targets, logSums, entropies, coefficients, entropyCoefficients },
    grid: rows * parts,
  })
}

/**
 * Log-probabilities, log sums and entropies of whole rows as plain loops. With `topK` (0: all) only over the k largest logits
 * and those equal to the smallest of them; any other target has probability 0.
 */
export function logProbabilityReference(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  vocabulary: number,
  { temperature = 1, topK = 0 }: { temperature?: number; topK?: number } = {},
): { logProbs: number[]; logSums: number[]; entropies: number[] } {
  const rows = Array.from(targets, (target, row) => {
    const scaled = Array.from({ length: vocabulary }, (_, v) => logits[row * vocabulary + v] / temperature)
    const least = [...scaled].sort((a, b) => b - a)[(topK || vocabulary) - 1]
    const top = scaled.filter(z => z >= least)
    const largest = Math.max(...top)
    const logSum = largest + Math.log(top.reduce((sum, z) => sum + Math.exp(z - largest), 0))
    const entropy = top.reduce((sum, z) => sum - Math.exp(z - logSum) * (z - logSum), 0)
    const logProb = scaled[target] >= least ? scaled[target] - logSum : Number.NEGATIVE_INFINITY
    return { logProb, logSum, entropy }
  })
  return {
    logProbs: rows.map(row => row.logProb),
    logSums: rows.map(row => row.logSum),
    entropies: rows.map(row => row.entropy),
  }
}

/** Logits of a row that one workgroup of the backward overwrites. */
const partSize = 4096

function forward(target: Target) {
  const { width, enables, functions } = group(target)
  return kernel(['log_probability', targetKey(target)], () => ({
    name: 'log_probability',
    enables,
    params: { first_row: 'u32', rows: 'u32', vocabulary: 'u32', scale: 'f32' },
    buffers: {
      logits: { element: 'f32', access: 'read' }, // (rows, vocabulary)
      targets: { element: 'u32', access: 'read' }, // (all rows)
      logProbs: { element: 'f32', access: 'write' }, // (all rows)
      logSums: { element: 'f32', access: 'write' }, // (all rows)
      entropies: { element: 'f32', access: 'write' }, // (all rows)
    },
    code: `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.vocabulary;
  let end = start + params.vocabulary;
  var largest = -3.4e38;
  for (var at = start + lane; at < end; at += ${width}u) { largest = max(largest, params.scale * logits[at]); }
  largest = group_max(largest, lane);
  var sum = 0.0;
  var moment = 0.0;
  for (var at = start + lane; at < end; at += ${width}u) {
    let below = params.scale * logits[at] - largest;
    sum += exp(below);
    moment += exp(below) * below;
  }
  sum = group_sum(sum, lane);
  moment = group_sum(moment, lane);
  if (lane > 0u) { return; }
  let to = params.first_row + row;
  logSums[to] = largest + log(sum);
  entropies[to] = log(sum) - moment / sum;
  logProbs[to] = (params.scale * logits[start + min(targets[to], params.vocabulary - 1u)] - largest) - log(sum);
}`,
  }))
}

function backward(target: Target) {
  const { width } = group(target)
  return kernel(['log_probability_backward', targetKey(target)], () => ({
    name: 'log_probability_backward',
    params: { first_row: 'u32', rows: 'u32', vocabulary: 'u32', parts: 'u32', scale: 'f32' },
    buffers: {
      logits: { element: 'f32', access: 'write' }, // (rows, vocabulary)
      targets: { element: 'u32', access: 'read' }, // (all rows)
      logSums: { element: 'f32', access: 'read' }, // (all rows)
      entropies: { element: 'f32', access: 'read' }, // (all rows)
      coefficients: { element: 'f32', access: 'read' }, // (all rows)
      entropyCoefficients: { element: 'f32', access: 'read' }, // (all rows)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id) / params.parts;
  if (row >= params.rows) { return; }
  let part = workgroup_index(id) % params.parts * ${partSize}u;
  let of_all = params.first_row + row;
  let wanted = targets[of_all];
  let log_sum = logSums[of_all];
  let entropy = entropies[of_all];
  let coefficient = params.scale * coefficients[of_all];
  let entropy_coefficient = params.scale * entropyCoefficients[of_all];
  for (var v = part + lane; v < min(part + ${partSize}u, params.vocabulary); v += ${width}u) {
    let at = row * params.vocabulary + v;
    let log_p = params.scale * logits[at] - log_sum;
    let p = exp(log_p);
    logits[at] = coefficient * (select(0.0, 1.0, v == wanted) - p) - entropy_coefficient * p * (log_p + entropy);
  }
}`,
  }))
}

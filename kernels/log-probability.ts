import { group } from './group.ts'
import { kernel, type Plan, type Target } from './plan.ts'
import type { Tensor } from './tensor.ts'

/** A chunk of logit rows; what it says of row r stands at `firstRow` + r of the tensors over all rows. */
export interface LogitRows {
  /** (rows, vocabulary) */
  logits: Tensor
  /** u32 (all rows), each less than `vocabulary`. */
  targets: Tensor
  firstRow: number
  rows: number
  vocabulary: number
  /** (all rows): log Σ exp(logit) */
  logSums: Tensor
}

/** logProbs[r] = logit[r, targets[r]] − logSums[r]; writes both, at `firstRow` and after. */
export function logProbability(plan: Plan, options: LogitRows & { logProbs: Tensor }): void {
  const { logits, targets, firstRow, rows, vocabulary, logProbs, logSums } = options
  plan.dispatch(forward(plan.target), {
    params: { first_row: firstRow, rows, vocabulary },
    buffers: { logits, targets, logProbs, logSums },
    grid: rows,
  })
}

/** Logits become dlogits[r, v] = coefficients[r] · ([v = targets[r]] − exp(logit[r, v] − logSums[r])). */
export function logProbabilityBackward(plan: Plan, options: LogitRows & { coefficients: Tensor }): void {
  const { logits, targets, firstRow, rows, vocabulary, logSums, coefficients } = options
  const parts = Math.ceil(vocabulary / partSize)
  plan.dispatch(backward(plan.target), {
    params: { first_row: firstRow, rows, vocabulary, parts },
    buffers: { logits, targets, logSums, coefficients },
    grid: rows * parts,
  })
}

/** Log-probabilities and log sums of whole rows as plain loops. */
export function logProbabilityReference(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  vocabulary: number,
): { logProbs: number[]; logSums: number[] } {
  const logSums = Array.from(targets, (_, row) => {
    let largest = Number.NEGATIVE_INFINITY
    for (let v = 0; v < vocabulary; v++) largest = Math.max(largest, logits[row * vocabulary + v])
    let sum = 0
    for (let v = 0; v < vocabulary; v++) sum += Math.exp(logits[row * vocabulary + v] - largest)
    return largest + Math.log(sum)
  })
  return { logSums, logProbs: logSums.map((logSum, row) => logits[row * vocabulary + targets[row]] - logSum) }
}

/** Logits of one row that one workgroup of the backward turns. */
const partSize = 4096

// One workgroup a row. The target's distance from the largest logit comes first: large logits cancel exactly.
function forward(target: Target) {
  const { width, enables, functions } = group(target)
  return kernel({
    name: 'log_probability',
    enables,
    params: { first_row: 'u32', rows: 'u32', vocabulary: 'u32' },
    buffers: {
      logits: { element: 'f32', access: 'read' }, // (rows, vocabulary)
      targets: { element: 'u32', access: 'read' }, // (all rows)
      logProbs: { element: 'f32', access: 'write' }, // (all rows)
      logSums: { element: 'f32', access: 'write' }, // (all rows)
    },
    code: `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let start = row * params.vocabulary;
  let end = start + params.vocabulary;
  var largest = -3.4e38;
  for (var at = start + lane; at < end; at += ${width}u) { largest = max(largest, logits[at]); }
  largest = group_max(largest, lane);
  var sum = 0.0;
  for (var at = start + lane; at < end; at += ${width}u) { sum += exp(logits[at] - largest); }
  let log_sum = log(group_sum(sum, lane));
  if (lane > 0u) { return; }
  let to = params.first_row + row;
  logSums[to] = largest + log_sum;
  logProbs[to] = (logits[start + min(targets[to], params.vocabulary - 1u)] - largest) - log_sum;
}`,
  })
}

// One workgroup for each part of a row: lanes stride over it.
function backward(target: Target) {
  const { width } = group(target)
  return kernel({
    name: 'log_probability_backward',
    params: { first_row: 'u32', rows: 'u32', vocabulary: 'u32', parts: 'u32' },
    buffers: {
      logits: { element: 'f32', access: 'write' }, // (rows, vocabulary)
      targets: { element: 'u32', access: 'read' }, // (all rows)
      logSums: { element: 'f32', access: 'read' }, // (all rows)
      coefficients: { element: 'f32', access: 'read' }, // (all rows)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id) / params.parts;
  if (row >= params.rows) { return; }
  let part = workgroup_index(id) % params.parts * ${partSize}u;
  let wanted = targets[params.first_row + row];
  let log_sum = logSums[params.first_row + row];
  let coefficient = coefficients[params.first_row + row];
  for (var v = part + lane; v < min(part + ${partSize}u, params.vocabulary); v += ${width}u) {
    let at = row * params.vocabulary + v;
    logits[at] = coefficient * (select(0.0, 1.0, v == wanted) - exp(logits[at] - log_sum));
  }
}`,
  })
}

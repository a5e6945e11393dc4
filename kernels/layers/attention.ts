import { flashAttention } from '../attention/flash.ts'
import { flashAttentionBackward } from '../attention/flash-backward.ts'
import { type AttentionShape, flashFits, type Heads } from '../attention/flash-shape.ts'
import { softmax, softmaxBackward } from '../attention/softmax.ts'
import { visibleRuns } from '../attention/visible-runs.ts'
import type { Tensor } from '../device/tensor.ts'
import { matmul } from '../matmul/matmul.ts'
import type { Operand } from '../matmul/operands.ts'
import type { Recording } from '../plan/recording.ts'
import type { Pass } from './pass.ts'

export interface AttentionOptions extends AttentionShape {
  queries: Heads
  keys: Heads
  values: Heads
}

/**
 * softmax(scale · Q Kᵀ + mask) V for every head: (batches · rows, heads · headSize), which only products may read. For the
 * backward, matrix units keep the sums of each row (flash attention, Dao et al., arXiv:2205.14135); other GPUs keep the
 * probabilities.
 */
export function attention(pass: Pass, options: AttentionOptions): Tensor {
  const { queries, keys, values, batches, rows, heads, headSize } = options
  const fits = flashFits(pass.recording, options, [queries, keys, values])
  const inputs = [queries.tensor, keys.tensor, values.tensor]
  const y = pass.output('attention', [batches * rows, heads * headSize], inputs, [], fits ? 'f16' : 'f32')
  if (fits) recordFlash(pass, options, y)
  else recordProducts(pass, options, y)
  return y
}

function recordFlash(pass: Pass, options: AttentionOptions, y: Tensor): void {
  const { recording } = pass
  const { queries, keys, values, batches, rows, heads } = options
  const logSums = recording.tensor('log sums', [batches, heads, rows])
  flashAttention(recording, { ...options, out: y, logSums })
  pass.onBackward(y, dOut => {
    const targets = gradientTargets(pass, options)
    const into = ({ tensor, column = 0 }: Heads) => {
      const target = targets.get(tensor)
      return target && { tensor: target.gradient, column, accumulate: target.accumulate }
    }
    const gradients = { dQueries: into(queries), dKeys: into(keys), dValues: into(values) }
    flashAttentionBackward(recording, { ...options, out: y, dOut, logSums, ...gradients })
  })
}

/** Attention as two products with a softmax between them. */
function recordProducts(pass: Pass, options: AttentionOptions, y: Tensor): void {
  const { recording } = pass
  const { batches, rows, keyRows, heads, headSize, scale, mask } = options
  const probabilities = recording.tensor('attention scores', [batches, heads, rows, keyRows])
  const { q, k, v, square, across } = operandsOf(options)
  const batch = { outer: batches, inner: heads }
  const runs = runsOf(recording, options)?.ofRows
  matmul(recording, {
    form: 'nt',
    rows,
    columns: keyRows,
    inner: headSize,
    a: q,
    b: k,
    out: square(probabilities),
    scale,
    batch,
    runs,
  })
  const extents = { outer: batches, inner: heads, rows, keys: keyRows }
  softmax(recording, { scores: probabilities, ...extents, mask, runs })
  matmul(recording, {
    form: 'nn',
    rows,
    columns: headSize,
    inner: keyRows,
    a: square(probabilities),
    b: v,
    out: across(y),
    batch,
    runs,
  })
  pass.onBackward(y, dy => recordProductsBackward(pass, options, probabilities, dy))
}

/** With P = softmax(S), S = scale · Q Kᵀ: dV = Pᵀ dY, dP = dY Vᵀ, dS from dP and P, dK = dSᵀ Q, dQ = dS K. */
function recordProductsBackward(
  pass: Pass,
  options: AttentionOptions,
  probabilities: Tensor,
  dy: Tensor,
): void {
  const { recording } = pass
  const { queries, keys, values, batches, rows, keyRows, heads, keyValueHeads, headSize, scale } = options
  const { q, k, v, square, across } = operandsOf(options)
  const ratio = heads / keyValueHeads
  const batch = { outer: batches, inner: heads }
  const runs = runsOf(recording, options)
  const dScores = recording.tensor('d attention scores', probabilities.shape)
  matmul(recording, {
    form: 'nt',
    rows,
    columns: keyRows,
    inner: headSize,
    a: across(dy),
    b: v,
    out: square(dScores),
    batch,
    runs: runs?.ofRows,
  })
  const targets = gradientTargets(pass, options)
  /** fromᵀ · b; query heads that share a key head sum their products into its gradient. */
  const transposed = (from: Tensor, b: Operand, into: Heads) => {
    const target = targets.get(into.tensor)
    if (!target) return
    matmul(recording, {
      form: 'tn',
      rows: keyRows,
      columns: headSize,
      inner: rows,
      a: { ...square(from), inner: ratio * rows * keyRows },
      b: { ...b, inner: ratio * headSize },
      out: headsOperand({ ...into, tensor: target.gradient }, keyRows, headSize),
      accumulate: target.accumulate,
      batch: { outer: batches, inner: keyValueHeads },
      repeat: { count: ratio, a: rows * keyRows, b: headSize },
      runs: runs?.ofKeys,
    })
  }
  transposed(probabilities, across(dy), values)
  softmaxBackward(recording, {
    probabilities,
    gradient: dScores,
    outer: batches,
    inner: heads,
    rows,
    keys: keyRows,
    scale,
    runs: runs?.ofRows,
  })
  transposed(dScores, q, keys)
  const target = targets.get(queries.tensor)
  if (!target) return
  matmul(recording, {
    form: 'nn',
    rows,
    columns: headSize,
    inner: keyRows,
    a: square(dScores),
    b: k,
    out: headsOperand({ ...queries, tensor: target.gradient }, rows, headSize),
    accumulate: target.accumulate,
    batch,
    runs: runs?.ofRows,
  })
}

/** What products need not compute of attention among rows. */
const runsOf = (recording: Recording, { mask, rows, keyRows }: AttentionOptions) =>
  rows === keyRows ? visibleRuns(recording, mask, rows) : undefined

/** The inputs of attention as operands of products: one matrix for each batch and head. */
function operandsOf(options: AttentionOptions) {
  const { queries, keys, values, rows, keyRows, heads, keyValueHeads, headSize } = options
  const innerDivisor = heads / keyValueHeads
  return {
    q: headsOperand(queries, rows, headSize),
    k: { ...headsOperand(keys, keyRows, headSize), innerDivisor },
    v: { ...headsOperand(values, keyRows, headSize), innerDivisor },
    /** Scores or probabilities (batches, heads, rows, keyRows). */
    square: (tensor: Tensor): Operand => {
      return { tensor, rowStride: keyRows, outer: heads * rows * keyRows, inner: rows * keyRows }
    },
    /** The output or its gradient (batches · rows, heads · headSize). */
    across: (tensor: Tensor): Operand => headsOperand({ tensor }, rows, headSize),
  }
}

/** The gradients to write. Keys and values may be columns of one tensor, which has one gradient. */
function gradientTargets(pass: Pass, { queries, keys, values }: AttentionOptions) {
  const tensors = new Set([queries.tensor, keys.tensor, values.tensor])
  const wanted = [...tensors].filter(x => pass.wants(x))
  return new Map(wanted.map(x => [x, pass.into(x)]))
}

/** Heads that lie next to each other in the rows of a tensor. */
function headsOperand({ tensor, column = 0 }: Heads, rows: number, headSize: number): Operand {
  const rowStride = tensor.shape[1]
  return { tensor, offset: column, rowStride, outer: rows * rowStride, inner: headSize }
}

import { flashAttention } from '../attention/flash.ts'
import { flashAttentionBackward } from '../attention/flash-backward.ts'
import { type AttentionShape, flashFits, type Heads } from '../attention/flash-shape.ts'
import { softmax, softmaxBackward } from '../attention/softmax.ts'
import type { Tensor } from '../device/tensor.ts'
import { matmul, type Operand } from '../matmul/matmul.ts'
import type { Pass } from './pass.ts'

export interface AttentionOptions extends AttentionShape {
  queries: Heads
  keys: Heads
  values: Heads
}

/**
 * softmax(scale · Q Kᵀ + mask) V for every head: (batches · rows, heads · headSize). What the backward
 * needs is kept: on matrix units the sums of each row, else the probabilities. Only products may read the result.
 */
export function attention(pass: Pass, options: AttentionOptions): Tensor {
  const { recording } = pass
  const { queries, keys, values, batches, rows, keyRows, heads, keyValueHeads, headSize, scale, mask } =
    options
  const inputs = [queries.tensor, keys.tensor, values.tensor]
  const ratio = heads / keyValueHeads
  const width = heads * headSize
  const fits = flashFits(recording, options, [queries, keys, values])
  const y = pass.output('attention', [batches * rows, width], inputs, [], fits ? 'f16' : 'f32')
  if (fits) {
    const logSums = recording.tensor('log sums', [batches, heads, rows])
    flashAttention(recording, { ...options, out: y, logSums })
    pass.onBackward(y, dOut => {
      const targets = gradientsOf(pass, inputs)
      const into = ({ tensor, column = 0 }: Heads) => {
        const target = targets.get(tensor)
        return target && { tensor: target.gradient, column, accumulate: target.accumulate }
      }
      const gradients = { dQueries: into(queries), dKeys: into(keys), dValues: into(values) }
      flashAttentionBackward(recording, { ...options, out: y, dOut, logSums, ...gradients })
    })
    return y
  }
  const scores = recording.tensor('attention scores', [batches, heads, rows, keyRows])
  const batch = { outer: batches, inner: heads }

  const q = side(queries, rows, headSize)
  const k = { ...side(keys, keyRows, headSize), innerDivisor: ratio }
  const v = { ...side(values, keyRows, headSize), innerDivisor: ratio }
  const score = (tensor: Tensor): Operand => square(tensor, heads, rows, keyRows)
  const across = (tensor: Tensor): Operand => side({ tensor }, rows, headSize)

  matmul(recording, {
    form: 'nt',
    rows,
    columns: keyRows,
    inner: headSize,
    a: q,
    b: k,
    out: score(scores),
    scale,
    batch,
  })
  softmax(recording, { scores, outer: batches, inner: heads, rows, keys: keyRows, mask })
  matmul(recording, {
    form: 'nn',
    rows,
    columns: headSize,
    inner: keyRows,
    a: score(scores),
    b: v,
    out: across(y),
    batch,
  })

  pass.onBackward(y, dy => {
    const dScores = recording.tensor('d attention scores', scores.shape)
    const a = across(dy)
    matmul(recording, {
      form: 'nt',
      rows,
      columns: keyRows,
      inner: headSize,
      a,
      b: v,
      out: score(dScores),
      batch,
    })
    const targets = gradientsOf(pass, inputs)
    // Heads that share a key head sum their gradients into it.
    const shared = { outer: batches, inner: keyValueHeads }
    const stacked = (tensor: Tensor): Operand => ({ ...score(tensor), inner: ratio * rows * keyRows })
    const grouped = (operand: Operand): Operand => ({ ...operand, inner: ratio * headSize })
    const repeat = { count: ratio, a: rows * keyRows, b: headSize }
    const transposed = (from: Tensor, b: Operand, into: Heads) => {
      const target = targets.get(into.tensor)
      if (!target) return
      const out = side({ ...into, tensor: target.gradient }, keyRows, headSize)
      const { accumulate } = target
      const shape = { rows: keyRows, columns: headSize, inner: rows }
      matmul(recording, {
        form: 'tn',
        ...shape,
        a: stacked(from),
        b: grouped(b),
        out,
        accumulate,
        batch: shared,
        repeat,
      })
    }
    transposed(scores, across(dy), values)
    softmaxBackward(recording, {
      probabilities: scores,
      gradient: dScores,
      outer: batches,
      inner: heads,
      rows,
      keys: keyRows,
      scale,
    })
    transposed(dScores, q, keys)
    const target = targets.get(queries.tensor)
    if (!target) return
    const out = side({ ...queries, tensor: target.gradient }, rows, headSize)
    const { accumulate } = target
    matmul(recording, {
      form: 'nn',
      rows,
      columns: headSize,
      inner: keyRows,
      a: score(dScores),
      b: k,
      out,
      accumulate,
      batch,
    })
  })
  return y
}

/** Where the gradients of those that want one go; keys and values may be columns of one tensor: it is asked for once. */
function gradientsOf(pass: Pass, inputs: readonly Tensor[]) {
  const wanted = [...new Set(inputs)].filter(x => pass.wants(x))
  return new Map(wanted.map(x => [x, pass.into(x)]))
}

function side({ tensor, column = 0 }: Heads, rows: number, headSize: number): Operand {
  const rowStride = tensor.shape[1]
  return { tensor, offset: column, rowStride, outer: rows * rowStride, inner: headSize }
}

function square(tensor: Tensor, heads: number, rows: number, keyRows: number): Operand {
  return { tensor, rowStride: keyRows, outer: heads * rows * keyRows, inner: rows * keyRows }
}

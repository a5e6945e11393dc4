import type { AttentionShape } from '../../../kernels/attention/flash-shape.ts'

/** Whether a row sees a key in a batch. */
export type Sees = (batch: number, row: number, key: number) => boolean

export interface AttentionData {
  /** (batches · rows, heads · headSize) */
  queries: ArrayLike<number>
  /** (batches · keyRows, keyValueHeads · headSize) each */
  keys: ArrayLike<number>
  values: ArrayLike<number>
}

type Sizes = Omit<AttentionShape, 'mask' | 'scale'>

/** Attention as plain loops in float64, and its gradients when `dOut` is given. */
export function attentionReference(
  { batches, rows, keyRows, heads, keyValueHeads, headSize }: Sizes,
  { queries, keys, values }: AttentionData,
  scale: number,
  sees: Sees,
  dOut?: ArrayLike<number>,
) {
  const out = new Float64Array(queries.length)
  const logSums = new Float64Array(batches * heads * rows)
  const dQueries = new Float64Array(queries.length)
  const dKeys = new Float64Array(keys.length)
  const dValues = new Float64Array(values.length)
  const product = (a: ArrayLike<number>, at: number, b: ArrayLike<number>, from: number) => {
    let sum = 0
    for (let d = 0; d < headSize; d++) sum += a[at + d] * b[from + d]
    return sum
  }
  for (let batch = 0; batch < batches; batch++)
    for (let head = 0; head < heads; head++)
      for (let row = 0; row < rows; row++) {
        const query = ((batch * rows + row) * heads + head) * headSize
        const shared = Math.floor((head * keyValueHeads) / heads)
        const at = (key: number) => ((batch * keyRows + key) * keyValueHeads + shared) * headSize
        const seen = Array.from({ length: keyRows }, (_, key) => key).filter(key => sees(batch, row, key))
        const scores = seen.map(key => scale * product(queries, query, keys, at(key)))
        const largest = Math.max(...scores)
        const logSum = largest + Math.log(scores.reduce((sum, score) => sum + Math.exp(score - largest), 0))
        logSums[(batch * heads + head) * rows + row] = logSum
        const shares = scores.map(score => Math.exp(score - logSum))
        seen.forEach((key, i) => {
          for (let d = 0; d < headSize; d++) out[query + d] += shares[i] * values[at(key) + d]
        })
        if (!dOut) continue
        const pull = product(dOut, query, out, query)
        seen.forEach((key, i) => {
          const slope = scale * shares[i] * (product(dOut, query, values, at(key)) - pull)
          for (let d = 0; d < headSize; d++) {
            dValues[at(key) + d] += shares[i] * dOut[query + d]
            dKeys[at(key) + d] += slope * queries[query + d]
            dQueries[query + d] += slope * keys[at(key) + d]
          }
        })
      }
  return { out, logSums, dQueries, dKeys, dValues }
}

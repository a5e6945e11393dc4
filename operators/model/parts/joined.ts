import { at } from '../../../engine/shared/at.ts'
import type { Mask } from '../../../kernels/attention/softmax.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { adjoined } from '../../../kernels/layers/adjoined.ts'
import { attention } from '../../../kernels/layers/attention.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import type { Parameter, Pass } from '../../../kernels/layers/pass.ts'

/**
 * Queries, keys and values of x, each `width` columns: by one product where one matrix holds all of them, or three matrices
 * follow each other in memory.
 */
export function joined(
  pass: Pass,
  x: Tensor,
  { names, at: find, width }: { names: readonly string[]; at: (name: string) => Parameter; width: number },
): readonly [Column, Column, Column] {
  const type = pass.recording.factorType
  const parametersOf = (end: string) => names.map(name => find(`${name}.${end}`))
  const [weights, biases] = [parametersOf('weight'), parametersOf('bias')]
  const weight = weights.length === 1 ? weights[0] : adjoined(weights)
  const bias = biases.length === 1 ? biases[0] : adjoined(biases)
  if (weight && bias) {
    const tensor = linear(pass, x, weight, { bias, type })
    return [0, 1, 2].map(i => ({ tensor, column: i * width })) as [Column, Column, Column]
  }
  const apart = weights.map((one, i) => ({ tensor: linear(pass, x, one, { bias: biases[i], type }) }))
  return apart as [Column, Column, Column] // one for each of three names
}

interface Column {
  tensor: Tensor
  column?: number
}

export interface SelfAttention {
  /** Runs of equally many rows, each of which sees itself alone. */
  batches: number
  heads: number
  headSize: number
  /** Which rows of a run are seen; by default all. */
  mask?: Mask
}

/** Attention within runs of rows, of as many heads of keys and values as of queries. */
export function selfAttention(
  pass: Pass,
  [queries, keys, values]: readonly [Column, Column, Column],
  { batches, heads, headSize, mask = { kind: 'none' } }: SelfAttention,
): Tensor {
  const rows = at(queries.tensor.shape, 0) / batches
  const sizes = { batches, rows, keyRows: rows, heads, keyValueHeads: heads, headSize }
  return attention(pass, { queries, keys, values, ...sizes, scale: headSize ** -0.5, mask })
}

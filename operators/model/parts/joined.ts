import type { Tensor } from '../../../kernels/device/tensor.ts'
import { adjoined } from '../../../kernels/layers/adjoined.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import type { Parameter, Pass } from '../../../kernels/layers/pass.ts'

/**
 * Queries, keys and values of x, each `width` columns: by one product where one matrix holds all of them, or three matrices
 * follow each other in memory.
 */
export function joined(
  pass: Pass,
  x: Tensor,
  { names, at, width }: { names: readonly string[]; at: (name: string) => Parameter; width: number },
): readonly [Column, Column, Column] {
  const type = pass.recording.factorType
  const parametersOf = (end: string) => names.map(name => at(`${name}.${end}`))
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

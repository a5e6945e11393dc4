import { type IntegerProduct, integerProduct, mostIntegerRows } from '../matmul/integer-product.ts'
import { matmul } from '../matmul/matmul.ts'
import type { Parameter, Pass } from './pass.ts'

/**
 * out = x · weightᵀ with what may follow it, for x (rows, inputs), which has no gaps, and weight (outputs, inputs). Few rows
 * read a weight that is held as integers as it is; many read its floats.
 */
export function weightProduct(pass: Pass, weight: Parameter, product: Omit<IntegerProduct, 'weight'>): void {
  const { recording } = pass
  const { integers } = weight
  if (integers && product.rows <= mostIntegerRows(recording.target)) {
    integerProduct(recording, { ...product, weight: integers })
    return
  }
  const b = pass.factor(weight, product.rows)
  const [columns, inner] = b.shape
  matmul(recording, { ...product, form: 'nt', columns, inner, b })
}

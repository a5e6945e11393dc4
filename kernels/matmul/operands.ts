import type { FloatType, Tensor } from '../device/tensor.ts'

/** Where a matrix, or a batch of them, lies in a tensor; everything counts elements. */
export interface Operand<Data = Tensor> {
  tensor: Data
  /** First element. */
  offset?: number
  /** Between rows; by default the tensor's last extent. */
  rowStride?: number
  /** Between outer batches; by default 0. */
  outer?: number
  /** Between inner batches; by default 0. */
  inner?: number
  /** The inner index is divided by this first (grouped-query heads share a matrix); by default 1. */
  innerDivisor?: number
}

export const floatType = ({ label, type }: Tensor): FloatType => {
  if (type === 'f32' || type === 'f16') return type
  throw new Error(`matmul: ${label} must hold f32 or f16, got ${type}`)
}

/** With every field filled in. */
export type Placed<Data> = Required<Operand<Data>>

export const located = (operand: Operand | Tensor): Placed<Tensor> => {
  const tensor = 'tensor' in operand ? operand.tensor : operand
  return placedIn(operand, tensor.shape[tensor.shape.length - 1] ?? 1)
}

export function placedIn<Data extends object>(
  operand: Operand<Data> | Data,
  rowStride: number,
): Placed<Data> {
  const given = 'tensor' in operand ? operand : { tensor: operand }
  return { offset: 0, rowStride, outer: 0, inner: 0, innerDivisor: 1, ...given }
}

/** The first element of a matrix of the batch. */
export const start = <Data>(operand: Placed<Data>, outer: number, inner: number): number =>
  operand.offset + outer * operand.outer + Math.floor(inner / operand.innerDivisor) * operand.inner

/** Elements that one load brings, for which addresses must be aligned. */
export type Aligned = (type: FloatType) => number

/** Whether neighbours in a row can be loaded as one. */
export function isAligned(operand: Placed<Tensor>, repeat: number, aligned: Aligned): boolean {
  const { tensor, offset, rowStride, outer, inner } = operand
  return [offset, rowStride, outer, inner, repeat].every(n => n % aligned(floatType(tensor)) === 0)
}

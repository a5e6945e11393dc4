export type ElementType = keyof typeof elementBytes

/** Bytes of an element in a buffer. */
export const elementBytes = { f32: 4, f16: 2, u32: 4, i32: 4 } as const

/**
 * A dense row-major array. With `storage` it is that part of a GPU buffer; without, it belongs to a recording, and `compile`
 * gives it memory.
 */
export interface Tensor {
  readonly label: string
  readonly shape: readonly number[]
  readonly type: ElementType
  readonly storage?: Storage
}

export interface Storage {
  readonly buffer: GPUBuffer
  /** Multiple of 256, the largest alignment that WebGPU may ask for. */
  readonly offsetBytes: number
}

/** Elements of a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, extent) => size * extent, 1)
}

export const bytesOf = (tensor: Tensor): number => sizeOf(tensor.shape) * elementBytes[tensor.type]

/** Element types of factors and results; sums are always f32. */
export type FloatType = 'f32' | 'f16'

/** Elements as they lie in a buffer; float16 travels as its bits in a Uint16Array. */
export type HostArray = Float32Array | Uint32Array | Int32Array | Uint16Array

/** Elements of one tensor for another of the same type: those that fit, or `count` at most. */
export interface TensorCopy {
  source: Tensor
  into: Tensor
  /** First element to read, by default 0. */
  start?: number
  /** First element to write, by default 0. */
  at?: number
  count?: number
}

import { rope as ropeKernel } from '../attention/rope.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import type { Pass } from './pass.ts'

export interface Rotation {
  /** (positions, headSize / 2). */
  cosines: Tensor
  sines: Tensor
  /** u32 (rows): each row's position. */
  positions: Tensor
}

/** Rotates the heads of x (rows, heads · headSize) in place by the angles of their positions. */
export function rope(pass: Pass, x: Tensor, rotation: Rotation, heads: number, headSize: number): void {
  ropeKernel(pass.recording, { x, ...rotation, heads, headSize, inverse: false })
  pass.onBackward(x, dx => ropeKernel(pass.recording, { x: dx, ...rotation, heads, headSize, inverse: true }))
}

/** Tables of cos and sin of position · theta^(-2j / headSize), computed in float64. */
export function rotationTables(
  recording: Recording,
  count: number,
  headSize: number,
  theta: number,
): { cosines: Tensor; sines: Tensor } {
  const half = headSize / 2
  const angle = (i: number): number => Math.floor(i / half) * theta ** ((-2 * (i % half)) / headSize)
  const table = (f: (x: number) => number) =>
    Float32Array.from({ length: count * half }, (_, i) => f(angle(i)))
  const shape = [count, half]
  return {
    cosines: recording.constant('cosines', shape, table(Math.cos)),
    sines: recording.constant('sines', shape, table(Math.sin)),
  }
}

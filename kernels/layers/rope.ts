import { pickAngles } from '../attention/pick-angles.ts'
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

/** Rotates the first `heads` heads of each row of x (rows, width) in place by the angles of the rows' positions. */
export function rope(pass: Pass, x: Tensor, rotation: Rotation, heads: number, headSize: number): void {
  const of = { ...rotation, heads, headSize, width: x.shape[1] }
  ropeKernel(pass.recording, { x, ...of, inverse: false })
  pass.onBackward(x, dx => ropeKernel(pass.recording, { x: dx, ...of, inverse: true }))
}

/**
 * The rotation of rows with three positions each, of which every pair of a head turns by one: `positions` u32 (3, rows), `streams`
 * as in `pickAngles`, tables as of `rotationTables`.
 */
export function streamRotation(
  recording: Recording,
  { cosines, sines, positions }: Rotation,
  streams: readonly number[],
): Rotation {
  const [rows, half] = [positions.shape[1], cosines.shape[1]]
  const list = recording.constant('streams', [half], Uint32Array.from(streams))
  const picked = (table: Tensor) => {
    const out = recording.tensor(`${table.label} of rows`, [rows, half])
    pickAngles(recording, { table, positions, streams: list, out })
    return out
  }
  const numbers = Uint32Array.from({ length: rows }, (_, row) => row)
  return {
    cosines: picked(cosines),
    sines: picked(sines),
    positions: recording.constant('rows', [rows], numbers),
  }
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

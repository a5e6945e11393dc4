import { blockRowsOf, blocksOf } from '../../../kernels/decode/row-blocks.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { fromFloat16, toFloat16Bits } from '../../../kernels/device/float16.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'

export type Values = Float32Array<ArrayBuffer>

/** The nearest float16 of each value. */
export const halved = (values: Values): Values => Float32Array.from(toFloat16Bits(values), fromFloat16)

/** Σ a(k) · b(k). */
export const dot = (size: number, a: (k: number) => number, b: (k: number) => number): number => {
  let sum = 0
  for (let k = 0; k < size; k++) sum += a(k) * b(k)
  return sum
}

/** A float16 tensor of the values. */
export const half = (device: Device, shape: readonly number[], data: Values): Tensor =>
  device.tensor('given', shape, 'f16', toFloat16Bits(data))

/** Rows (rows, inner) as blocks, NaN where no row is. */
export function blocks(device: Device, rows: number, inner: number, data: Values): Tensor {
  const high = blockRowsOf(rows)
  const shape = blocksOf(rows, inner)
  const laid = new Float32Array(shape.reduce((size, extent) => size * extent, 1)).fill(Number.NaN)
  for (let row = 0; row < rows; row++)
    for (let k = 0; k < inner; k++) laid[placeOf(row, k, high, shape[1])] = data[row * inner + k]
  return half(device, shape, laid)
}

const placeOf = (row: number, k: number, high: number, rowBlocks: number): number =>
  ((k >> 4) * rowBlocks + Math.floor(row / high)) * high * 16 + (row % high) * 16 + (k & 15)

/** Rows (rows, inner) of a tensor in blocks. */
export async function readBlocks(
  device: Device,
  tensor: Tensor,
  rows: number,
  inner: number,
): Promise<number[]> {
  const found = await device.read(tensor)
  const [, rowBlocks, high] = tensor.shape
  return Array.from({ length: rows * inner }, (_, i) => {
    return found[placeOf(Math.floor(i / inner), i % inner, high, rowBlocks)]
  })
}

/** Records, compiles and runs a plan of precision float16 once. */
export async function runInFloat16(device: Device, record: (recording: Recording) => void): Promise<void> {
  const recording = new Recording(device, 'float16')
  record(recording)
  const compiled = await compile(device, recording, 'test')
  compiled.run()
  await device.finish()
  compiled.free()
}

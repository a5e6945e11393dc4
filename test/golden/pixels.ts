import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Device } from '../../kernels/device/device.ts'
import {
  openSafetensors,
  readBytes,
  readTensor,
  type SafetensorsFile,
} from '../../operators/model/files/safetensors.ts'
import { frameResizer } from '../../operators/video/frame-resizer.ts'
import { differences, largestError, type Row, row } from './row.ts'

interface Picture {
  index: number
  width: number
  height: number
  size: number
  pixel_mean: number
  pixel_std: number
}

const processor = {
  resize: true,
  rescaleFactor: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
} as const

/**
 * Resizes and normalises every `N.input` of a folder's pixels.safetensors on the GPU: bytes that differ from
 * `N.resized` (none may), and the distance from `N.pixel_values` (1 unit in the last place of values around 1), or
 * from the mean and deviation of the values where they are not stored.
 */
export async function checkPixels(folder: string, device: Device): Promise<Row[]> {
  const file = await openSafetensors(join(folder, 'pixels.safetensors'))
  const pictures: Picture[] = JSON.parse(await readFile(join(folder, 'pixels.json'), 'utf8'))
  const rows: Row[] = []
  for (const picture of pictures) rows.push(...(await checkPicture(file, picture, device)))
  return rows
}

async function checkPicture(file: SafetensorsFile, picture: Picture, device: Device): Promise<Row[]> {
  const { index, width, height, size } = picture
  const resizer = await frameResizer(
    device,
    { width, height },
    { width: size, height: size },
    { ...processor, size },
  )
  const tensor = device.tensor(`${index}.pixel_values`, [3, size, size])
  try {
    resizer.add(await joined(readBytes(file, `${index}.input`)), tensor, 0)
    const resized = await joined(readBytes(file, `${index}.resized`))
    const wrong = differences(await resizer.resized(), resized)
    const values = await device.read(tensor)
    const rows = [row(`${index}.resized ${width} × ${height} → ${size}, differing bytes`, wrong, 0)]
    if (!file.tensors.has(`${index}.pixel_values`)) return [...rows, ...moments(picture, values)]
    const wanted = await joined(readTensor(file, `${index}.pixel_values`))
    // Writers may store the memory of a transposed array under its new shape: rows of RGB are the same numbers.
    const error = Math.min(largestError(values, wanted), largestError(interleaved(values), wanted))
    return [...rows, row(`${index}.pixel_values`, error, 2 ** -23)]
  } finally {
    resizer.free()
    device.freeTensor(tensor)
  }
}

function moments({ index, pixel_mean, pixel_std }: Picture, values: Float32Array): Row[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
  return [
    row(`${index}.pixel_values mean`, Math.abs(mean - pixel_mean), 1e-5),
    row(`${index}.pixel_values deviation`, Math.abs(std - pixel_std), 1e-5),
  ]
}

/** (3, pixels) as (pixels, 3). */
const interleaved = (values: Float32Array): Float32Array =>
  values.map((_, i) => values[(i % 3) * (values.length / 3) + Math.floor(i / 3)])

async function joined<T extends Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>>(
  chunks: AsyncIterable<T>,
): Promise<T> {
  for await (const chunk of chunks) return chunk // the default chunk is larger than any of these tensors
  throw new Error('a tensor without elements')
}

import { Buffer } from '../../../engine/platform/files.ts'
import { sizeOf } from '../../../kernels/device/tensor.ts'
import { bytesPerElement, type FloatFormat, fromFloat32 } from './float-formats.ts'
import { writeWholeFile } from './whole-file.ts'

export interface TensorToWrite {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: FloatFormat
  /**
   * All its values in row-major order, in pieces of any size; bytes are written as they are. Others are rounded to
   * nearest, ties to even, for BF16 and F16.
   */
  readonly chunks: Pieces<Float32Array> | Pieces<Uint8Array>
}

type Pieces<T> = Iterable<T> | AsyncIterable<T>

/**
 * Writes tensors as one safetensors file, one chunk in memory at a time. The bytes depend on names, shapes and values
 * alone: tensors lie in order of name. The file appears under its name only when it is whole.
 */
export function writeSafetensors(path: string, tensors: readonly TensorToWrite[]): Promise<void> {
  const inOrder = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))
  return writeWholeFile(path, fileOf(inOrder))
}

async function* fileOf(tensors: readonly TensorToWrite[]): AsyncGenerator<Uint8Array> {
  yield headerOf(tensors)
  for (const tensor of tensors) yield* bytesOf(tensor)
}

function headerOf(tensors: readonly TensorToWrite[]): Uint8Array {
  const header = new Map<string, unknown>([['__metadata__', { format: 'pt' }]])
  let end = 0
  for (const { name, shape, dtype } of tensors) {
    if (header.has(name)) throw new Error(`writeSafetensors: tensor ${name} is given twice`)
    const begin = end
    end += sizeOf(shape) * bytesPerElement[dtype]
    header.set(name, { dtype, shape, data_offsets: [begin, end] })
  }
  const text = JSON.stringify(Object.fromEntries(header))
  // Spaces up to a multiple of 8, so that the data is aligned for readers that map the file.
  const padded = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8))
  const bytes = Buffer.alloc(8 + padded.length)
  bytes.writeBigUInt64LE(BigInt(padded.length))
  padded.copy(bytes, 8)
  return bytes
}

async function* bytesOf({ name, shape, dtype, chunks }: TensorToWrite): AsyncGenerator<Uint8Array> {
  let written = 0
  for await (const values of chunks) {
    const bytes = values instanceof Uint8Array ? values : fromFloat32(values, dtype)
    yield bytes
    written += bytes.length / bytesPerElement[dtype]
  }
  if (written === sizeOf(shape)) return
  throw new Error(
    `writeSafetensors: tensor ${name}: shape (${shape.join(', ')}) has ${sizeOf(shape)} values, got ${written}`,
  )
}

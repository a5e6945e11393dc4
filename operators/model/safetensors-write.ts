import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { bytesPerElement, type FloatFormat, fromFloat32 } from './float-formats.ts'

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
export async function writeSafetensors(path: string, tensors: readonly TensorToWrite[]): Promise<void> {
  const inOrder = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))
  const partial = `${path}.partial`
  const handle = await open(partial, 'w')
  try {
    await writeFully(handle, headerOf(inOrder))
    for (const tensor of inOrder) await writeTensor(handle, tensor)
  } catch (error) {
    await handle.close()
    await rm(partial, { force: true })
    throw error
  }
  await handle.close()
  await rename(partial, path)
}

function headerOf(tensors: readonly TensorToWrite[]): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  let end = 0
  for (const { name, shape, dtype } of tensors) {
    if (Object.hasOwn(header, name)) throw new Error(`writeSafetensors: tensor ${name} is given twice`)
    const begin = end
    end += elementsOf(shape) * bytesPerElement[dtype]
    header[name] = { dtype, shape, data_offsets: [begin, end] }
  }
  const text = JSON.stringify(header)
  // Spaces up to a multiple of 8, so that the data is aligned for readers that map the file.
  const padded = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8))
  const bytes = Buffer.alloc(8 + padded.length)
  bytes.writeBigUInt64LE(BigInt(padded.length))
  padded.copy(bytes, 8)
  return bytes
}

async function writeTensor(handle: FileHandle, { name, shape, dtype, chunks }: TensorToWrite): Promise<void> {
  let written = 0
  for await (const values of chunks) {
    const bytes = values instanceof Uint8Array ? values : fromFloat32(values, dtype)
    await writeFully(handle, bytes)
    written += bytes.length / bytesPerElement[dtype]
  }
  if (written === elementsOf(shape)) return
  throw new Error(
    `writeSafetensors: tensor ${name}: shape (${shape.join(', ')}) has ${elementsOf(shape)} values, got ${written}`,
  )
}

/** One write may take less than it is given. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten
}

const elementsOf = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1)

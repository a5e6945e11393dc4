import { Buffer } from '../../../engine/platform/files.ts'
import { sizeOf } from '../../../kernels/device/tensor.ts'
import { bytesPerElement, type FloatFormat, fromFloat32 } from './float-formats.ts'
import { writeWholeFile } from './whole-file.ts'

export interface TensorToWrite {
  readonly name: string
  readonly shape: readonly number[]
  /** I32: words, which are given as bytes. */
  readonly dtype: FloatFormat | 'I32'
  /**
   * All its values in row-major order, in pieces of any size; bytes are written as they are. Others are rounded to
   * nearest, ties to even, for BF16 and F16.
   */
  readonly chunks: Pieces<Float32Array> | Pieces<Uint8Array>
}

type Pieces<T> = Iterable<T> | AsyncIterable<T>
type Values = Float32Array | Uint8Array

export const storedBytesPerElement = { ...bytesPerElement, I32: 4 } as const

/**
 * Writes tensors as one safetensors file, one chunk in memory at a time. The bytes depend on names, shapes and values
 * alone: tensors lie in order of name. The file appears under its name only when it is whole.
 */
export function writeSafetensors(path: string, tensors: readonly TensorToWrite[]): Promise<void> {
  const inOrder = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))
  return writeWholeFile(path, fileOf(inOrder))
}

/** Values of tensors that are asked for before their turn; the next tensor always is, however large. */
const mostAhead = 2 ** 22

/** A tensor whose first piece is asked for. */
interface Begun {
  readonly tensor: TensorToWrite
  readonly pieces: AsyncIterator<Values> | Iterator<Values>
  readonly first: Promise<IteratorResult<Values>>
}

/** A GPU answers after a while, however little it is asked for: the pieces of many small tensors are on their way at once. */
async function* fileOf(tensors: readonly TensorToWrite[]): AsyncGenerator<Uint8Array> {
  yield headerOf(tensors)
  const begun: Begun[] = []
  const rest = tensors.values()
  let ahead = 0
  try {
    for (let more = rest.next(); !more.done || begun.length > 0; ) {
      for (; !more.done && (begun.length === 0 || ahead < mostAhead); more = rest.next()) {
        ahead += sizeOf(more.value.shape)
        begun.push(begin(more.value))
      }
      const [next] = begun
      if (!next) return
      yield* bytesOf(next)
      ahead -= sizeOf(next.tensor.shape)
      begun.shift()
    }
  } finally {
    for (const { pieces } of begun) await pieces.return?.()
  }
}

function begin(tensor: TensorToWrite): Begun {
  const { chunks } = tensor
  const pieces = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]()
  const first = Promise.resolve(pieces.next())
  first.catch(() => {}) // it is told when its turn comes
  return { tensor, pieces, first }
}

function headerOf(tensors: readonly TensorToWrite[]): Uint8Array {
  const header = new Map<string, unknown>([['__metadata__', { format: 'pt' }]])
  let end = 0
  for (const { name, shape, dtype } of tensors) {
    if (header.has(name)) throw new Error(`writeSafetensors: tensor ${name} is given twice`)
    const begin = end
    end += sizeOf(shape) * storedBytesPerElement[dtype]
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

function bytesOfPiece(piece: Values, dtype: TensorToWrite['dtype']): Uint8Array {
  if (piece instanceof Uint8Array) return piece
  if (dtype === 'I32') throw new Error('writeSafetensors: words must be given as bytes')
  return fromFloat32(piece, dtype)
}

async function* bytesOf({ tensor, pieces, first }: Begun): AsyncGenerator<Uint8Array> {
  const { name, shape, dtype } = tensor
  let written = 0
  for (let step = await first; !step.done; step = await pieces.next()) {
    const bytes = bytesOfPiece(step.value, dtype)
    yield bytes
    written += bytes.length / storedBytesPerElement[dtype]
  }
  if (written === sizeOf(shape)) return
  throw new Error(
    `writeSafetensors: tensor ${name}: shape (${shape.join(', ')}) has ${sizeOf(shape)} values, got ${written}`,
  )
}

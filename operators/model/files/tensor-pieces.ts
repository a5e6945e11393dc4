import { at } from '../../../engine/shared/at.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { toFloat16Bits } from '../../../kernels/device/float16.ts'
import { storageOf } from '../../../kernels/device/storage-of.ts'
import { bytesOf, sizeOf, type Tensor } from '../../../kernels/device/tensor.ts'

/** Elements of a piece: 16 MiB of float32. */
const pieceElements = 4 * 2 ** 20

/** Pieces that are read from the GPU at the same time. */
const piecesInFlight = 3

/** Reads a tensor from the GPU as float32, a few pieces of it in memory at a time. */
export async function* readPieces(
  device: Device,
  tensor: Tensor,
  signal?: AbortSignal,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { buffer, offsetBytes } = storageOf(tensor)
  const size = sizeOf(tensor.shape)
  const elementBytes = bytesOf(tensor) / size
  const read = (start: number) => {
    const storage = { buffer, offsetBytes: offsetBytes + start * elementBytes }
    const reading = device.read({ ...tensor, shape: [Math.min(pieceElements, size - start)], storage })
    reading.catch(() => {}) // a piece may fail while an earlier one is written: it is reported when its turn comes
    return reading
  }
  const inFlight: ReturnType<typeof read>[] = []
  try {
    for (let start = 0; start < size || inFlight.length > 0; ) {
      signal?.throwIfAborted()
      for (; inFlight.length < piecesInFlight && start < size; start += pieceElements)
        inFlight.push(read(start))
      yield await at(inFlight, 0)
      inFlight.shift()
    }
  } finally {
    await Promise.allSettled(inFlight) // a reader may leave early
  }
}

/** Fills a float32 tensor on the GPU with pieces that follow one another. */
export async function writeTensor(
  device: Device,
  tensor: Tensor,
  pieces: AsyncIterable<Float32Array<ArrayBuffer>>,
): Promise<void> {
  let start = 0
  for await (const values of pieces) {
    device.write(tensor, tensor.type === 'f16' ? toFloat16Bits(values) : values, start)
    start += values.length
  }
}

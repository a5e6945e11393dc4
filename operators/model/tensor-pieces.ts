import { type Device, placed } from '../../kernels/device.ts'
import { toFloat16Bits } from '../../kernels/float16.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/tensor.ts'

/** Elements of a piece: 16 MiB of float32. */
const pieceElements = 4 * 2 ** 20

/** Reads a float32 tensor from the GPU, at most one piece of it in memory at a time. */
export async function* readPieces(
  device: Device,
  tensor: Tensor,
  signal?: AbortSignal,
): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const { buffer, offsetBytes } = placed(tensor)
  const size = sizeOf(tensor.shape)
  const elementBytes = bytesOf(tensor) / size
  for (let at = 0; at < size; at += pieceElements) {
    signal?.throwIfAborted()
    const storage = { buffer, offsetBytes: offsetBytes + at * elementBytes }
    yield await device.read({ ...tensor, shape: [Math.min(pieceElements, size - at)], storage })
  }
}

/** Fills a float32 tensor on the GPU with pieces that follow one another. */
export async function writeTensor(
  device: Device,
  tensor: Tensor,
  pieces: AsyncIterable<Float32Array<ArrayBuffer>>,
): Promise<void> {
  let at = 0
  for await (const values of pieces) {
    device.write(tensor, tensor.type === 'f16' ? toFloat16Bits(values) : values, at)
    at += values.length
  }
}

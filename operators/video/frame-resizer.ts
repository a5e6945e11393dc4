import type { Device } from '../../kernels/device/device.ts'
import { storageOf } from '../../kernels/device/storage-of.ts'
import { bytesOf, type Tensor } from '../../kernels/device/tensor.ts'
import { normalisationTable, normalisePixels } from '../../kernels/pixels/normalise-pixels.ts'
import { type Extent, filterTensors, packedWords, resize, resizeAgain } from '../../kernels/pixels/resize.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { sizeOfFrames } from '../model/checkpoint/frame-shape.ts'
import type { Processor } from '../model/checkpoint/processor.ts'

export interface FrameResizer {
  /** Resizes and normalises one packed RGB frame into frame `at` of a tensor (frames, 3, height, width). */
  add(frame: Uint8Array, into: Tensor, at: number): void
  /** The resized bytes of the last frame, packed RGB. */
  resized(): Promise<Uint8Array>
  free(): void
}

/** The width and height, in pixels, that `frames` frames of a clip are resized to. */
export function pixelsOf(from: Extent, frames: number, { size, shape }: Processor): Extent {
  return shape ? sizeOfFrames(from, frames, shape) : { width: size, height: size }
}

/**
 * Prepares for frames of one size, from one to another. One frame is in work at a time: memory does not grow with their number.
 */
export async function frameResizer(
  device: Device,
  from: Extent,
  to: Extent,
  processor: Processor,
): Promise<FrameResizer> {
  if (!processor.resize && (from.width !== to.width || from.height !== to.height))
    throw new Error(
      `frames are ${from.width} × ${from.height}; do_resize is off, so they must be ${to.width} × ${to.height}`,
    )
  const recording = new Recording(device)
  const picture = recording.pin('picture', [packedWords(from)], 'u32')
  const pixels = recording.pin('resized', [to.height, to.width], 'u32')
  const values = recording.pin('pixel values', [3, to.height, to.width])
  const first = firstExtent(from, processor)
  const filters = filterTensors(device, from, first ?? to)
  const again = first && filterTensors(device, first, to)
  const table = device.tensor('normalisation', [3, 256], 'f32', normalisationTable(processor))
  const free = () => {
    const both = [filters, ...(again ? [again] : [])]
    for (const tensor of [...both.flatMap(({ x, y }) => [x, y]), table]) device.freeTensor(tensor)
  }
  if (first && again) {
    const between = recording.tensor('resized once', [first.height, first.width], 'u32')
    resize(recording, picture, from, between, filters)
    resizeAgain(recording, between, pixels, again)
  } else resize(recording, picture, from, pixels, filters)
  normalisePixels(recording, pixels, table, values)
  const compiled = await compile(device, recording, 'resize').catch((error: unknown) => {
    free()
    throw error
  })
  const words = new Uint32Array(packedWords(from))
  const bytes = new Uint8Array(words.buffer)
  return {
    add(frame, into, at) {
      bytes.set(frame)
      compiled.write(picture, words)
      compiled.run()
      copy(device, compiled.at(values), into, at)
    },
    async resized() {
      const found = new Uint8Array((await compiled.readIntegers(pixels)).buffer)
      return found.filter((_, i) => i % 4 !== 3)
    },
    free() {
      compiled.free()
      free()
    },
  }
}

/**
 * The size of frames after the first of two steps: the longer side has `longestEdge` pixels, the shorter one an even number
 * (SmolVLMVideoProcessor of transformers). Undefined where one step does the same.
 */
export function firstExtent(
  { width, height }: Extent,
  { size, longestEdge, resize }: Pick<Processor, 'size' | 'longestEdge' | 'resize'>,
): Extent | undefined {
  if (!resize || longestEdge === undefined) return undefined
  const even = (length: number) => Math.max(1, Math.trunc(length) + (Math.trunc(length) % 2))
  const aspect = width / height
  const first =
    width >= height
      ? { width: longestEdge, height: even(longestEdge / aspect) }
      : { width: even(longestEdge * aspect), height: longestEdge }
  return first.width === size && first.height === size ? undefined : first
}

function copy(device: Device, frame: Tensor, into: Tensor, at: number): void {
  const [source, target] = [storageOf(frame), storageOf(into)]
  const size = bytesOf(frame)
  const encoder = device.gpu.createCommandEncoder()
  encoder.copyBufferToBuffer(
    source.buffer,
    source.offsetBytes,
    target.buffer,
    target.offsetBytes + at * size,
    size,
  )
  device.submit(encoder)
}

/** The frame in the middle of a square of side max(width, height) filled with `background`, as PIL pastes it. */
export function padToSquare(
  frame: Uint8Array,
  { width, height }: Extent,
  background: readonly number[],
): Uint8Array {
  const side = Math.max(width, height)
  const square = new Uint8Array(side * side * 3)
  for (let i = 0; i < square.length; i += 3) square.set(background, i)
  const [left, top] = [Math.floor((side - width) / 2), Math.floor((side - height) / 2)]
  for (let y = 0; y < height; y++)
    square.set(frame.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * side + left) * 3)
  return square
}

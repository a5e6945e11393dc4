// Bytes of a picture to the numbers that the vision tower reads: y = (byte · rescaleFactor − mean) / std for each channel.
//
//   pixels   │ rgb rgb rgb … │  u32 each      one thread for each pixel looks up its three bytes in a table of
//   y        │ r r r … │ g g g … │ b b b … │   3 · 256 values and writes one number into each channel plane
//
// The published image processor rounds after every step. A byte has only 256 values, so the host computes all of them once,
// with the same rounding, and the kernel does no arithmetic: its result is equal to the bit. 64 threads, because a thread has
// so little to do that only memory counts. The reference is `normaliseReference`.

import { kernel } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'

export interface Normalisation {
  readonly rescaleFactor: number
  readonly mean: readonly number[]
  readonly std: readonly number[]
}

/**
 * The value of each byte in each channel, (3, 256): byte · rescaleFactor in float64 rounded to f32, then
 * (value − mean) / std in f32, as the image processor of the published model computes it.
 */
export function normalisationTable({ rescaleFactor, mean, std }: Normalisation): Float32Array<ArrayBuffer> {
  const { fround } = Math
  return Float32Array.from({ length: 3 * 256 }, (_, i) => {
    const channel = i >> 8
    const centered = fround(fround((i & 255) * rescaleFactor) - fround(mean[channel]))
    return fround(centered / fround(std[channel]))
  })
}

/** y[c, i] = table[c, byte c of pixels[i]], for pixels u32 (height, width), table (3, 256) and y (3, height, width). */
export function normalisePixels(recording: Recording, pixels: Tensor, table: Tensor, y: Tensor): void {
  const count = sizeOf(pixels.shape)
  recording.dispatch(normalise, {
    params: { count },
    buffers: { pixels, table, y },
    grid: Math.ceil(count / threads),
  })
}

/** The same arithmetic as plain loops, from packed RGB. */
export function normaliseReference(packed: Uint8Array, table: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const count = packed.length / 3
  return Float32Array.from({ length: packed.length }, (_, i) => {
    const channel = Math.floor(i / count)
    return table[channel * 256 + packed[(i % count) * 3 + channel]]
  })
}

const threads = 64

const normalise = kernel({
  name: 'normalise_pixels',
  params: { count: 'u32' },
  buffers: {
    pixels: { element: 'u32', access: 'read' }, // (height · width), red in the lowest byte
    table: { element: 'f32', access: 'read' }, // (3, 256)
    y: { element: 'f32', access: 'write' }, // (3, height · width)
  },
  code: `
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(id) * ${threads}u + lane;
  if (i >= params.count) { return; }
  let pixel = pixels[i];
  y[i] = table[pixel & 255u];
  y[params.count + i] = table[256u + ((pixel >> 8u) & 255u)];
  y[2u * params.count + i] = table[512u + ((pixel >> 16u) & 255u)];
}`,
})

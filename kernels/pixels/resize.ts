// Bicubic resizing of a picture, as Pillow does it (its source: src/libImaging/Resample.c): every output pixel is a weighted
// mean of the input pixels near it, first along rows, then along columns, in integers.
//
//   picture (from.height, from.width) ──horizontal──▶ rows (from.height, width) ──vertical──▶ pixels (height, width)
//
//   output x   weights │ w0 w1 w2 w3 │ on input pixels first … first + 3, from the cubic of Keys (1981, a = −0.5),
//                                      stretched by the scale when an axis shrinks, so that no pixel is skipped
//
// sum = Σ weight · 2²² · byte + 2²¹, the byte is sum >> 22, clamped: weights in fixed point make the sum exact, so no bit
// differs from Pillow. A thread of the first pass computes one column of four rows, so that a weight is loaded once for all
// four; in the second pass neighbouring threads are neighbouring pixels. 64 threads, because registers, not workgroup memory,
// limit how many run at once. The reference is `resizeReference`.

import type { Device } from '../device/device.ts'
import { kernel } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'

/** Width and height in pixels. */
export interface Extent {
  readonly width: number
  readonly height: number
}

/** Weights of one axis, which compute `output` pixels from `input` pixels. Computed on the host, in float64. */
export interface ResizeFilter {
  readonly input: number
  readonly output: number
  /** Weights of an output pixel; pixels that have fewer are padded with zeros. */
  readonly taps: number
  /** (output, 2 + taps): first input pixel, number of weights, weights · 2²². */
  readonly rows: Int32Array<ArrayBuffer>
}

const weightBits = 22

/**
 * Bicubic (a = −0.5) with antialiasing: the kernel is widened by the scale when an axis shrinks. Weights sum to 1 and
 * are rounded to 22 fractional bits, halves away from zero, as Pillow's 8-bit resampling does.
 */
export function bicubicFilter(input: number, output: number): ResizeFilter {
  const scale = input / output
  const stretch = Math.max(scale, 1)
  const support = 2 * stretch
  const lines = Array.from({ length: output }, (_, x) => {
    const center = (x + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - support + 0.5))
    const end = Math.min(input, Math.trunc(center + support + 0.5))
    const weights = Array.from({ length: end - first }, (_, j) => cubic((j + first - center + 0.5) / stretch))
    const sum = weights.reduce((total, weight) => total + weight, 0)
    return { first, weights: weights.map(weight => toFixed(weight / sum)) }
  })
  const taps = Math.max(...lines.map(({ weights }) => weights.length))
  const rows = new Int32Array(output * (taps + 2))
  for (const [x, { first, weights }] of lines.entries())
    rows.set([first, weights.length, ...weights], x * (taps + 2))
  return { input, output, taps, rows }
}

function cubic(distance: number): number {
  const a = -0.5
  const t = Math.abs(distance)
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0
}

const toFixed = (weight: number): number => Math.trunc(weight * 2 ** weightBits + (weight < 0 ? -0.5 : 0.5))

/** The filters of both axes as tensors with buffers of their own. */
export interface ResizeFilters {
  readonly x: Tensor
  readonly y: Tensor
}

export const filterTensors = (device: Device, from: Extent, to: Extent): ResizeFilters => ({
  x: filterTensor(device, bicubicFilter(from.width, to.width)),
  y: filterTensor(device, bicubicFilter(from.height, to.height)),
})

const filterTensor = (device: Device, { output, taps, rows }: ResizeFilter): Tensor =>
  device.tensor('resize filter', [output, taps + 2], 'i32', rows)

/** u32 words of a packed 8-bit RGB picture, and one more, because the kernel reads one ahead. */
export const packedWords = ({ width, height }: Extent): number => Math.ceil((width * height * 3) / 4) + 1

/**
 * Resizes a packed 8-bit RGB picture, u32 (`packedWords`), to one u32 for each pixel (height, width), red in the lowest byte.
 * An axis that keeps its size has weights of exactly 1 and 0, so its pass changes nothing.
 */
export function resize(
  recording: Recording,
  picture: Tensor,
  from: Extent,
  to: Tensor,
  filters: ResizeFilters,
): void {
  const width = to.shape[1]
  const rows = recording.tensor('resized rows', [from.height, width], 'u32')
  recording.dispatch(horizontal, {
    params: { from_width: from.width, height: from.height, width, filter_stride: filters.x.shape[1] },
    buffers: { picture, weights: filters.x, rows },
    grid: groups(width * Math.ceil(from.height / rowsOfAThread)),
  })
  pass(recording, downColumns, rows, to, filters.y)
}

/**
 * Resizes what `resize` has made, u32 (from.height, from.width), once more. The second picture differs from one that is
 * made in one step: bytes are rounded in between.
 */
export function resizeAgain(recording: Recording, picture: Tensor, to: Tensor, filters: ResizeFilters): void {
  const rows = recording.tensor('resized rows', [picture.shape[0], to.shape[1]], 'u32')
  pass(recording, alongRows, picture, rows, filters.x)
  pass(recording, downColumns, rows, to, filters.y)
}

/** The same arithmetic as plain loops, from packed RGB to packed RGB. */
export function resizeReference(picture: Uint8Array, from: Extent, to: Extent): Uint8Array {
  const rows = new Uint8Array(from.height * to.width * 3)
  const source = { bytes: picture, steps: [from.width * 3, 3] } as const
  const target = { bytes: rows, steps: [to.width * 3, 3] } as const
  resample(source, target, bicubicFilter(from.width, to.width), from.height)
  const pixels = new Uint8Array(to.height * to.width * 3)
  const steps = [3, to.width * 3] as const
  resample({ bytes: rows, steps }, { bytes: pixels, steps }, bicubicFilter(from.height, to.height), to.width)
  return pixels
}

/** A picture as lines along the axis that is resized: steps are bytes to the next line, and to the next pixel of a line. */
interface Lines {
  bytes: Uint8Array
  steps: readonly [line: number, pixel: number]
}

/** Resizes each line, a row or a column. */
function resample(
  { bytes: from, steps: [fromLine, fromPixel] }: Lines,
  { bytes: to, steps: [toLine, toPixel] }: Lines,
  { output, taps, rows }: ResizeFilter,
  lines: number,
): void {
  for (let line = 0; line < lines; line++)
    for (let x = 0; x < output; x++)
      for (let channel = 0; channel < 3; channel++) {
        const [first, count] = rows.subarray(x * (taps + 2))
        let sum = 2 ** (weightBits - 1)
        for (let j = 0; j < count; j++)
          sum += from[line * fromLine + (first + j) * fromPixel + channel] * rows[x * (taps + 2) + 2 + j]
        to[line * toLine + x * toPixel + channel] = Math.min(
          255,
          Math.max(0, Math.floor(sum / 2 ** weightBits)),
        )
      }
}

const threads = 64
const groups = (work: number): number => Math.ceil(work / threads)

const rowsOfAThread = 4
const overRows = (line: (row: number) => string): string =>
  Array.from({ length: rowsOfAThread }, (_, row) => line(row)).join('\n')

const rounding = `
fn to_word(sum: vec3i) -> u32 {
  let bytes = vec3u(clamp(sum >> vec3u(${weightBits}u), vec3i(0), vec3i(255)));
  return bytes.x | (bytes.y << 8u) | (bytes.z << 16u);
}
fn to_bytes(word: u32) -> vec3i { return vec3i(vec3u(word, word >> 8u, word >> 16u) & vec3u(255u)); }
`

// The three bytes of a pixel are in one word or in two. Both words stay in registers while a thread moves along the row, so
// each pixel costs one load.
const horizontal = kernel({
  name: 'resize_horizontal',
  params: { from_width: 'u32', height: 'u32', width: 'u32', filter_stride: 'u32' },
  buffers: {
    picture: { element: 'u32', access: 'read' }, // packed bytes (height, from_width, 3), and a word
    weights: { element: 'i32', access: 'read' }, // (width, filter_stride)
    rows: { element: 'u32', access: 'write' }, // (height, width)
  },
  code: `${rounding}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = workgroup_index(id) * ${threads}u + lane;
  let x = work % params.width;
  let y = work / params.width * ${rowsOfAThread}u;
  if (y >= params.height) { return; }
  let filter_start = x * params.filter_stride;
  let first = u32(weights[filter_start]);
  let count = u32(weights[filter_start + 1u]);
${overRows(
  row => `
  let byte${row} = (min(y + ${row}u, params.height - 1u) * params.from_width + first) * 3u;
  var at${row} = byte${row} >> 2u;
  var phase${row} = byte${row} & 3u;
  var word${row} = picture[at${row}];
  var sum${row} = vec3i(${2 ** (weightBits - 1)});`,
)}
  for (var j = 0u; j < count; j++) {
    let weight = weights[filter_start + 2u + j];
${overRows(
  row => `
    let next${row} = picture[at${row} + 1u];
    let pixel${row} = (word${row} >> (8u * phase${row})) | ((next${row} << 1u) << (31u - 8u * phase${row}));
    sum${row} += to_bytes(pixel${row}) * weight;
    let over${row} = phase${row} > 0u;
    word${row} = select(word${row}, next${row}, over${row});
    at${row} += u32(over${row});
    phase${row} = (phase${row} + 3u) & 3u;`,
)}
  }
${overRows(row => `  if (y + ${row}u < params.height) { rows[(y + ${row}u) * params.width + x] = to_word(sum${row}); }`)}
}`,
})

/**
 * A pass over a picture of one word for each pixel, `from_width` in a row: output pixel `output` of its axis is made of the
 * words from `start` on, `step` apart.
 */
const wordsPass = (name: string, { output, start, step }: Record<'output' | 'start' | 'step', string>) =>
  kernel({
    name,
    params: { from_width: 'u32', height: 'u32', width: 'u32', filter_stride: 'u32' },
    buffers: {
      picture: { element: 'u32', access: 'read' }, // (input height, from_width)
      weights: { element: 'i32', access: 'read' }, // (extent of the axis, filter_stride)
      pixels: { element: 'u32', access: 'write' }, // (height, width)
    },
    code: `${rounding}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let work = workgroup_index(id) * ${threads}u + lane;
  if (work >= params.height * params.width) { return; }
  let x = work % params.width;
  let y = work / params.width;
  let filter_start = ${output} * params.filter_stride;
  let first = u32(weights[filter_start]);
  let count = u32(weights[filter_start + 1u]);
  let start = ${start};
  var sum = vec3i(${2 ** (weightBits - 1)});
  for (var j = 0u; j < count; j++) {
    sum += to_bytes(picture[start + j * ${step}]) * weights[filter_start + 2u + j];
  }
  pixels[work] = to_word(sum);
}`,
  })

const alongRows = wordsPass('resize_along_rows', {
  output: 'x',
  start: 'y * params.from_width + first',
  step: '1u',
})

const downColumns = wordsPass('resize_down_columns', {
  output: 'y',
  start: 'first * params.from_width + x',
  step: 'params.from_width',
})

/** Resizes along one axis. */
function pass(
  recording: Recording,
  along: typeof alongRows,
  picture: Tensor,
  to: Tensor,
  weights: Tensor,
): void {
  const [height, width] = to.shape
  recording.dispatch(along, {
    params: { from_width: picture.shape[1], height, width, filter_stride: weights.shape[1] },
    buffers: { picture, weights, pixels: to },
    grid: groups(width * height),
  })
}

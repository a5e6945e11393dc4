// Frames to the rows that a patch embedding multiplies (Dosovitskiy et al., "An Image is Worth 16×16 Words",
// arXiv:2010.11929): a convolution whose stride is its size is a matrix product, once each patch is a row.
//
//   frame   ┌───┬───┬─            out   row 0 │ red of A, row by row │ green of A │ blue of A │
//           │ A │ B │                   row 1 │ red of B …
//           ├───┼───┼─
//
// Where several frames share their patches (`step`), a patch is as deep as there are frames, and an odd last frame is repeated.
// `square` is a side in patches. The patches of a square follow each other, since they become one token:
//
//   square 1:   0 1 2 3        square 2:   0 1 4 5
//               4 5 6 7                    2 3 6 7
//
// A patch is one workgroup: its lanes write neighbouring elements of one row, and read short runs of `patch` pixels. The
// reference is `patchesReference`.

import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'

export interface PatchOrder {
  /** Pixels across a patch. */
  patch: number
  /** Frames of one patch, by default 1. */
  step?: number
  /** Patches across the squares that follow each other, by default 1; divides both sides of a frame. */
  square?: number
}

/**
 * Splits frames into patches: `pixels` (frames, channels, height, width) → `out` (frames / step · tokens, channels · step · patch ·
 * patch), each row in the order of a convolution's weight. Pixels right of and below the last whole patch are ignored.
 */
export function patches(
  recording: Recording,
  { pixels, out, patch, step = 1, square = 1 }: PatchOrder & { pixels: Tensor; out: Tensor },
): void {
  const [frames, channels, height, width] = pixels.shape
  const [down, across] = [Math.floor(height / patch), Math.floor(width / patch)]
  const rows = Math.ceil(frames / step) * down * across
  const columns = channels * step * patch * patch
  if (out.shape[0] !== rows || out.shape[1] !== columns)
    throw new Error(`patches: ${out.label} must be (${rows}, ${columns}), got (${out.shape.join(', ')})`)
  if (down % square !== 0 || across % square !== 0)
    throw new Error(`patches: ${down} × ${across} of ${pixels.label} must be whole squares of ${square}`)
  recording.dispatch(split(recording.target), {
    params: { rows, frames, channels, height, width, side: patch, down, across, step, square },
    buffers: { pixels, out },
    grid: rows,
  })
}

/** The same arithmetic as plain loops. */
export function patchesReference(
  pixels: ArrayLike<number>,
  shape: readonly number[],
  { patch, step = 1, square = 1 }: PatchOrder,
): number[] {
  const [frames, channels, height, width] = shape
  const out: number[] = []
  const addPatch = (first: number, top: number, left: number) => {
    for (let channel = 0; channel < channels; channel++)
      for (let frame = first; frame < first + step; frame++)
        for (let y = top; y < top + patch; y++)
          for (let x = left; x < left + patch; x++)
            out.push(pixels[((Math.min(frame, frames - 1) * channels + channel) * height + y) * width + x])
  }
  const side = square * patch
  for (let first = 0; first < frames; first += step)
    for (let top = 0; top + side <= height; top += side)
      for (let left = 0; left + side <= width; left += side)
        for (let y = 0; y < side; y += patch)
          for (let x = 0; x < side; x += patch) addPatch(first, top + y, left + x)
  return out
}

function split(target: Target) {
  const { width } = spread(target)
  return kernel({
    name: 'patches',
    params: {
      rows: 'u32',
      frames: 'u32',
      channels: 'u32',
      height: 'u32',
      width: 'u32',
      side: 'u32',
      down: 'u32',
      across: 'u32',
      step: 'u32',
      square: 'u32',
    },
    buffers: {
      pixels: { element: 'f32', access: 'read' }, // (frames, channels, height, width)
      out: { element: 'f32', access: 'write' }, // (frames / step · down · across, channels · step · patch · patch)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let tokens = params.down * params.across;
  let first = row / tokens * params.step;
  let area = params.square * params.square;
  let place = row % tokens / area;
  let inner = row % area;
  let squares = params.across / params.square;
  let top = (place / squares * params.square + inner / params.square) * params.side;
  let left = (place % squares * params.square + inner % params.square) * params.side;
  let picture = params.side * params.side;
  let columns = params.channels * params.step * picture;
  for (var c = lane; c < columns; c += ${width}u) {
    let channel = c / (params.step * picture);
    let frame = min(first + c / picture % params.step, params.frames - 1u);
    let y = top + c / params.side % params.side;
    let x = left + c % params.side;
    out[row * columns + c] = pixels[((frame * params.channels + channel) * params.height + y) * params.width + x];
  }
}`,
  })
}

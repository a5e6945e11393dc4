// Frames to the rows that a patch embedding multiplies (Dosovitskiy et al., "An Image is Worth 16×16 Words",
// arXiv:2010.11929): a convolution whose stride is its size is a matrix product, once each patch is a row.
//
//   frame   ┌───┬───┬─            out   row 0 │ red of A, row by row │ green of A │ blue of A │
//           │ A │ B │                   row 1 │ red of B …
//           ├───┼───┼─
//
// A patch is one workgroup: its lanes write neighbouring elements of one row, and read short runs of `patch` pixels. The
// reference is `patchesReference`.

import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'

/**
 * Splits frames into patches, row by row: `pixels` (frames, channels, height, width) → `out` (frames · tokens,
 * channels · patch · patch), each row in the order of a convolution's weight. Pixels right of and below the last whole patch are ignored.
 */
export function patches(
  recording: Recording,
  { pixels, out, patch }: { pixels: Tensor; out: Tensor; patch: number },
): void {
  const [frames, channels, height, width] = pixels.shape
  const [down, across] = [Math.floor(height / patch), Math.floor(width / patch)]
  const rows = frames * down * across
  if (out.shape[0] !== rows || out.shape[1] !== channels * patch * patch)
    throw new Error(
      `patches: ${out.label} must be (${rows}, ${channels * patch * patch}), got (${out.shape.join(', ')})`,
    )
  recording.dispatch(split(recording.target), {
    params: { rows, channels, height, width, side: patch, down, across },
    buffers: { pixels, out },
    grid: rows,
  })
}

/** The same arithmetic as plain loops. */
export function patchesReference(
  pixels: ArrayLike<number>,
  shape: readonly number[],
  patch: number,
): number[] {
  const [frames, channels, height, width] = shape
  const out: number[] = []
  for (let frame = 0; frame < frames; frame++)
    for (let top = 0; top + patch <= height; top += patch)
      for (let left = 0; left + patch <= width; left += patch)
        for (let channel = 0; channel < channels; channel++)
          for (let y = top; y < top + patch; y++)
            for (let x = left; x < left + patch; x++)
              out.push(pixels[((frame * channels + channel) * height + y) * width + x])
  return out
}

function split(target: Target) {
  const { width } = spread(target)
  return kernel({
    name: 'patches',
    params: {
      rows: 'u32',
      channels: 'u32',
      height: 'u32',
      width: 'u32',
      side: 'u32',
      down: 'u32',
      across: 'u32',
    },
    buffers: {
      pixels: { element: 'f32', access: 'read' }, // (frames, channels, height, width)
      out: { element: 'f32', access: 'write' }, // (frames · down · across, channels · patch · patch)
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  if (row >= params.rows) { return; }
  let tokens = params.down * params.across;
  let frame = row / tokens;
  let top = (row % tokens) / params.across * params.side;
  let left = row % params.across * params.side;
  let columns = params.channels * params.side * params.side;
  for (var c = lane; c < columns; c += ${width}u) {
    let channel = c / (params.side * params.side);
    let y = top + c / params.side % params.side;
    let x = left + c % params.side;
    out[row * columns + c] = pixels[((frame * params.channels + channel) * params.height + y) * params.width + x];
  }
}`,
  })
}

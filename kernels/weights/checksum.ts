// A checksum of a tensor's bits, by which two runs compare their weights without reading them back.
//
//   words   │ workgroup 0: width · 256 │ workgroup 1 … │     lane l adds the words l, l + width, l + 2 · width, …
//
//   sum = Σ over i of (bits(x[i]) XOR i · 2654435761) · 747796405  mod 2³²
//
// The odd multipliers (Knuth, "The Art of Computer Programming" 3, 6.4, and the PCG generator of O'Neill) make the sum depend
// on the place of each word; multiplication by an odd number is invertible, so a change of one word always changes the sum.
// Integer sums do not depend on their order, so workgroups may add atomically. 256 words a lane keep the atomics few. The
// reference is `checksumReference`.

import { kernel, type Target } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'

/**
 * Adds the checksum of x to sums[index]. Two tensors that differ in one element never have the same sum; others have it by
 * chance, once in 2³² cases.
 */
export function checksum(
  recording: Recording,
  { x, sums, index }: { x: Tensor; sums: Tensor; index: number },
): void {
  const size = sizeOf(x.shape)
  const { width } = spread(recording.target)
  recording.dispatch(sumOfBits(recording.target), {
    params: { size, index },
    buffers: { bits: x, sums },
    grid: Math.ceil(size / (width * elementsOfLane)),
  })
}

/** The same arithmetic as a plain loop, from 0. */
export function checksumReference(x: Float32Array): number {
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length)
  return bits.reduce((sum, word, i) => (sum + Math.imul(word ^ Math.imul(i, 2654435761), 747796405)) >>> 0, 0)
}

const elementsOfLane = 256

function sumOfBits(target: Target) {
  const { width } = spread(target)
  return kernel({
    name: 'checksum',
    params: { size: 'u32', index: 'u32' },
    buffers: {
      bits: { element: 'u32', access: 'read' }, // (size), the words of any type
      sums: { element: 'atomic<u32>', access: 'write' },
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = workgroup_index(id) * ${width * elementsOfLane}u;
  if (first >= params.size) { return; }
  let end = first + min(${width * elementsOfLane}u, params.size - first);
  var sum = 0u;
  for (var i = first + lane; i < end; i += ${width}u) { sum += (bits[i] ^ (i * 2654435761u)) * 747796405u; }
  atomicAdd(&sums[params.index], sum);
}`,
  })
}

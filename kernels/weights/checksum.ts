import { kernel, type Target } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'

/**
 * sums[index] += Σ over i of (bits(x[i]) ^ i · 2654435761) · 747796405, modulo 2^32: two tensors that differ in one
 * element never have the same sum, others by chance in one of 2^32 cases.
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

// A workgroup sums a stretch, its lanes side by side. Integers add up the same in any order, so atomics do no harm.
function sumOfBits(target: Target) {
  const { width } = spread(target)
  return kernel({
    name: 'checksum',
    params: { size: 'u32', index: 'u32' },
    buffers: {
      bits: { element: 'u32', access: 'read' }, // (size), whatever the type
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

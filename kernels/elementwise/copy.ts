// Copies a tensor into another, or into a part of it, and converts between float32 and float16 on the way.
//
//   from   │ 0 1 2 3 … count − 1 │            lane l of a workgroup copies the packs l, l + lanes, l + 2 · lanes, …,
//   into   │ … at │ 0 1 2 … │ … │             eight of them: neighbouring lanes always touch neighbouring memory
//
// A copy does no arithmetic, so its only cost is memory: eight packs a lane keep several loads in flight and make the number
// of workgroups small. A float16 is the nearest one (ties to even, IEEE 754), and outside the range the largest finite one;
// test/kernels/wgsl/float16-stores.test.ts compares it with the host's conversion.

import { kernel, type Target } from '../device/kernel.ts'
import type { FloatType } from '../device/tensor.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { elementOf, floatTypeOf, type Stored, stored } from '../wgsl/float16-stores.ts'
import { type Pack, vectorise } from '../wgsl/packs.ts'

export interface Copy {
  /** f32 or f16 */
  from: Tensor
  /** f32 or f16 */
  into: Tensor
  /** First element of `into`. */
  at?: number
}

/** into[at + i] = from[i]; float16 values outside the range become the largest finite one. */
export function copy(recording: Recording, { from, into, at = 0 }: Copy): void {
  const count = sizeOf(from.shape)
  if (at + count > sizeOf(into.shape))
    throw new Error(`copy: ${into.label} must hold ${at + count} elements, got (${into.shape})`)
  const packed = vectorise(count, at)
  const { size } = packed
  const stores = stored(recording, size, { into })
  recording.dispatch(store(recording.target, packed, floatTypeOf(from), floatTypeOf(into), stores), {
    params: { count: count / size, at: at / size },
    buffers: { source: from, into, ...stores.buffers },
    grid: Math.ceil(count / size / (lanesOf(recording.target) * repeat)),
  })
}

const repeat = 8
const lanesOf = ({ family, subgroupSize }: Target): number => (family === 'cpu' ? subgroupSize : 256)

function store(
  target: Target,
  { size, declarations }: Pack,
  from: FloatType,
  into: FloatType,
  stores: Stored,
) {
  const lanes = lanesOf(target)
  return kernel({
    name: `copy_${from}_${into}`,
    enables: from === 'f16' ? 'enable f16;' : stores.enables,
    params: { count: 'u32', at: 'u32' },
    buffers: {
      source: { element: elementOf(from, size), access: 'read' }, // (count)
      into: { element: elementOf(into, size), access: 'write' }, // (at + count and more)
      ...stores.specs,
    },
    code: `${declarations}${stores.functions}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = workgroup_index(id) * ${lanes * repeat}u + lane;
  for (var i = first; i < min(first + ${lanes * repeat}u, params.count); i += ${lanes}u) {
    into[params.at + i] = stored_into(number(source[i]));
  }
}`,
  })
}

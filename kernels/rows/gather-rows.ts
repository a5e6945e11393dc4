import { kernel, type Target, targetKey } from '../device/kernel.ts'
import { sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread, vectorise } from '../wgsl/packs.ts'

export interface GatherRows {
  /** (n, columns), f32 or f16 */
  from: Tensor
  /** (m, columns) */
  into: Tensor
  /** u32 (segments), all different */
  destinations: Tensor
  /** u32 (segments + 1), rising */
  offsets: Tensor
  /** u32: rows of `from` */
  items: Tensor
  segments: number
  accumulate: boolean
}

/**
 * For each segment s: into[destinations[s]] (+)= Σ from[items[k]] over offsets[s] ≤ k < offsets[s + 1]. One item a
 * segment is a gather; many are a scatter-add in a fixed order, so that sums do not depend on timing. An empty segment
 * writes zeros. Rows that no segment names are left as they are.
 */
export function gatherRows(recording: Recording, of: GatherRows): void {
  const { from, into, destinations, offsets, items, segments, accumulate } = of
  const columns = from.shape[from.shape.length - 1]
  if (sizeOf(into.shape) % columns !== 0)
    throw new Error(`gatherRows: both must have ${columns} columns, got ${into.label} (${into.shape})`)
  recording.dispatch(gather(recording.target, columns, from.type === 'f16', accumulate), {
    params: { segments, columns: columns / vectorise(columns).size },
    buffers: { source: from, into, destinations, offsets, items },
    grid: segments,
  })
}

/** The same arithmetic as plain loops; `into` is what was there before. */
export function gatherRowsReference(
  from: ArrayLike<number>,
  into: ArrayLike<number>,
  columns: number,
  lists: { destinations: ArrayLike<number>; offsets: ArrayLike<number>; items: ArrayLike<number> },
  accumulate: boolean,
): number[] {
  const { destinations, offsets, items } = lists
  const result = Array.from(into)
  for (let s = 0; s < destinations.length; s++)
    for (let c = 0; c < columns; c++) {
      let sum = accumulate ? into[destinations[s] * columns + c] : 0
      for (let k = offsets[s]; k < offsets[s + 1]; k++) sum += from[items[k] * columns + c]
      result[destinations[s] * columns + c] = sum
    }
  return result
}

// One workgroup a segment: lanes stride over the columns.
function gather(target: Target, size: number, half: boolean, accumulate: boolean) {
  const { width } = spread(target)
  const { size: packed, element, declarations } = vectorise(size)
  const halves = packed === 4 ? 'vec4<f16>' : 'f16'
  return kernel(['gather_rows', targetKey(target), packed, half, accumulate], () => ({
    name: 'gather_rows',
    ...(half && { enables: 'enable f16;' }),
    params: { segments: 'u32', columns: 'u32' }, // columns in packs
    buffers: {
      source: { element: half ? halves : element, access: 'read' }, // (n, columns)
      into: { element, access: 'write' }, // (m, columns)
      destinations: { element: 'u32', access: 'read' }, // (segments)
      offsets: { element: 'u32', access: 'read' }, // (segments + 1)
      items: { element: 'u32', access: 'read' },
    },
    code: `${declarations}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let segment = workgroup_index(id);
  if (segment >= params.segments) { return; }
  let start = destinations[segment] * params.columns;
  let first = offsets[segment];
  let end = offsets[segment + 1u];
  for (var c = lane; c < params.columns; c += ${width}u) {
    var sum = ${accumulate ? 'into[start + c]' : 'number()'};
    for (var k = first; k < end; k++) { sum += number(source[items[k] * params.columns + c]); }
    into[start + c] = sum;
  }
}`,
  }))
}

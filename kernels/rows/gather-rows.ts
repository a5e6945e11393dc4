// Gather and scatter-add of rows: embeddings of token ids, visual tokens spliced between them, weighted means of rows of a table
// (bilinear interpolation of positions), and the gradients of all three.
//
//   destinations   7        2          segment s writes the row destinations[s] of `into`: the sum of the rows
//   offsets        0     1           4 items[offsets[s]] … items[offsets[s + 1] − 1] of `from`
//   items          5  │  0   3   9     here: into[7] = from[5], into[2] = from[0] + from[3] + from[9]
//
// A gather has one item in each segment. Its gradient has a segment for each row that was read, with an item for each reader:
// a scatter-add without atomics, whose sums are always in the same order. A segment is one workgroup whose lanes stride over
// the columns, so that every row is read as one piece of memory. The reference is `gatherRowsReference`.

import { kernel, type Target, targetKey } from '../device/kernel.ts'
import { type FloatType, sizeOf, type Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { type IntegerFormat, type IntegerMatrix, integersWgsl, rowWords } from '../weights/integers.ts'
import { elementOf, floatTypeOf } from '../wgsl/float16-stores.ts'
import { type Pack, spread, vectorise } from '../wgsl/packs.ts'

export interface GatherRows {
  /** (n, columns): f32, f16 or integers */
  from: Tensor | IntegerMatrix
  /** (m, columns) */
  into: Tensor
  /** u32 (segments), all different but those of empty segments with `accumulate` */
  destinations: Tensor
  /** u32 (segments + 1), ascending */
  offsets: Tensor
  /** u32: rows of `from` */
  items: Tensor
  /** f32, by item: what its row is multiplied by; without them by 1. */
  weights?: Tensor | undefined
  segments: number
  accumulate: boolean
  /** Columns of a row; by default those of `from`. Fewer: a row of a tensor is several rows. */
  columns?: number
}

/**
 * For each segment s: into[destinations[s]] (+)= Σ weights[k] · from[items[k]] over offsets[s] ≤ k < offsets[s + 1]. An empty segment
 * writes zeros, or with `accumulate` nothing: its destination may then be any row. Rows that are not a destination are unchanged.
 */
export function gatherRows(recording: Recording, of: GatherRows): void {
  const { from, into, destinations, offsets, items, weights, segments, accumulate } = of
  const { columns = from.shape[from.shape.length - 1] } = of
  if (sizeOf(into.shape) % columns !== 0)
    throw new Error(`gatherRows: both must have ${columns} columns, got ${into.label} (${into.shape})`)
  const isWeighted = weights !== undefined
  const lists = { into, destinations, offsets, items, ...(weights && { weights }) }
  if ('integers' in from) {
    const words = rowWords(columns, from)
    recording.dispatch(gather(recording.target, columns, { source: from, accumulate, isWeighted }), {
      params: { segments, columns: columns / 4, words: words.integers, row_groups: words.groups },
      buffers: { source: from.integers, groups: from.groups, ...lists },
      grid: segments,
    })
    return
  }
  recording.dispatch(
    gather(recording.target, columns, { source: floatTypeOf(from), accumulate, isWeighted }),
    {
      params: { segments, columns: columns / vectorise(columns).size },
      buffers: { source: from, ...lists },
      grid: segments,
    },
  )
}

/** The same arithmetic as plain loops; `into` holds the values before. */
export function gatherRowsReference(
  from: ArrayLike<number>,
  into: ArrayLike<number>,
  columns: number,
  lists: Record<'destinations' | 'offsets' | 'items', ArrayLike<number>> & { weights?: ArrayLike<number> },
  accumulate: boolean,
): number[] {
  const { destinations, offsets, items, weights } = lists
  const result = Array.from(into)
  for (let s = 0; s < destinations.length; s++)
    for (let c = 0; c < columns; c++) {
      let sum = accumulate ? into[destinations[s] * columns + c] : 0
      for (let k = offsets[s]; k < offsets[s + 1]; k++)
        sum += from[items[k] * columns + c] * (weights ? weights[k] : 1)
      result[destinations[s] * columns + c] = sum
    }
  return result
}

interface Variant {
  source: FloatType | IntegerFormat
  accumulate: boolean
  isWeighted: boolean
}

function gather(target: Target, size: number, { source, accumulate, isWeighted }: Variant) {
  const { width } = spread(target)
  const pack = vectorise(size)
  const { size: packed, element, declarations } = pack
  const weight = isWeighted ? ' * weights[k]' : ''
  const { key, enables, params, buffers, functions } =
    typeof source === 'object' ? ofIntegers(source) : ofFloats(source, pack)
  return kernel<string, string>(
    ['gather_rows', targetKey(target), packed, key, accumulate, isWeighted],
    () => ({
      name: 'gather_rows',
      enables,
      params: { segments: 'u32', columns: 'u32', ...params }, // columns in packs
      buffers: {
        ...buffers,
        into: { element, access: 'write' }, // (m, columns)
        destinations: { element: 'u32', access: 'read' }, // (segments)
        offsets: { element: 'u32', access: 'read' }, // (segments + 1)
        items: { element: 'u32', access: 'read' },
        ...(isWeighted && { weights: { element: 'f32', access: 'read' } as const }),
      },
      code: `${declarations}${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let segment = workgroup_index(id);
  if (segment >= params.segments) { return; }
  let start = destinations[segment] * params.columns;
  let first = offsets[segment];
  let end = offsets[segment + 1u];
  ${accumulate ? 'if (first == end) { return; }' : ''}
  for (var c = lane; c < params.columns; c += ${width}u) {
    var sum = ${accumulate ? 'into[start + c]' : 'number()'};
    for (var k = first; k < end; k++) { sum += source_at(items[k], c)${weight}; }
    into[start + c] = sum;
  }
}`,
    }),
  )
}

/** What reads the rows: \`source_at(row, pack)\`. */
const ofFloats = (type: FloatType, { size }: Pack) => ({
  key: type,
  enables: type === 'f16' ? 'enable f16;' : '',
  params: {},
  buffers: { source: { element: elementOf(type, size), access: 'read' } as const }, // (n, columns)
  functions: `
fn source_at(row: u32, c: u32) -> number { return number(source[row * params.columns + c]); }`,
})

/** The same of integers, whose rows are packs of four. */
const ofIntegers = (format: IntegerFormat) => ({
  key: `${format.bits} ${format.groupSize}`,
  enables: '',
  params: { words: 'u32', row_groups: 'u32' } as const, // of a row
  buffers: {
    source: { element: 'u32', access: 'read' }, // (n, words)
    groups: { element: 'u32', access: 'read' }, // (n, row_groups)
  } as const,
  functions: `${integersWgsl(format)}
fn source_at(row: u32, c: u32) -> number {
  let group = groups[row * params.row_groups + c / ${format.groupSize / 4}u];
  let word = source[row * params.words + c ${format.bits === 4 ? '/ 2u' : ''}];
  return (integers_of(word, ${format.bits === 4 ? 'c % 2u * 4u' : '0u'}) - zero_of(group)) * scale_of(group);
}`,
})

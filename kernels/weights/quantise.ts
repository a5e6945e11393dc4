// Elements of a checkpoint file to integers of 4 or 8 bits (integers.ts), by rounding to the nearest.
//
//   raw        │ row 0: group 0 │ group 1 │ … │ row 1 …    the bytes as they are in the file
//                    lane 0       lane 1                   a lane reads its group twice: for its range, then to round it
//   integers   │ words          │ words   │
//   groups     │ scale, zero    │ …
//
// The scale is rounded to float16 before integers are, so that they make up for it. A group's numbers are neighbours, so its second
// reading comes from the cache. The reference is `quantiseReference`.

import { kernel, type Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { Recording } from '../plan/recording.ts'
import { spread } from '../wgsl/packs.ts'
import { type IntegerFormat, type IntegerMatrix, rowWords } from './integers.ts'
import { type RawFormat, rawElementsWgsl, widened } from './store-elements.ts'

export interface QuantisedRows {
  /** u32: the bytes of the file. */
  raw: Tensor
  /** The first element in `raw`, in units of two bytes. */
  at: number
  format: RawFormat
  /** Whole rows of the matrix, written from row `firstRow` on. */
  rows: number
  firstRow: number
  to: IntegerMatrix
  /** u32 (2): counts the scales outside float16's range, and the elements that are no finite number. */
  counts: Tensor
}

/** Rows of the matrix = the nearest integers to the elements of the raw bytes. */
export function quantiseRows(recording: Recording, of: QuantisedRows): void {
  const { raw, at, format, rows, firstRow, to, counts } = of
  const [, columns] = to.shape
  const words = rowWords(columns, to)
  const { width, repeat } = spread(recording.target)
  const count = rows * words.groups
  recording.dispatch(quantised(recording.target, format, to), {
    params: { at, count, columns, words: words.integers, row_groups: words.groups, first_row: firstRow },
    buffers: { raw, integers: to.integers, groups: to.groups, counts },
    grid: Math.ceil(count / (width * repeat)),
  })
}

function quantised(target: Target, format: RawFormat, { bits, groupSize }: IntegerFormat) {
  const { width, repeat } = spread(target)
  const most = `${2 ** bits - 1}.0`
  return kernel({
    name: `quantise_${format}_${bits}_${groupSize}`,
    params: { at: 'u32', count: 'u32', columns: 'u32', words: 'u32', row_groups: 'u32', first_row: 'u32' },
    buffers: {
      raw: { element: 'u32', access: 'read' },
      integers: { element: 'u32', access: 'write' }, // (rows, words)
      groups: { element: 'u32', access: 'write' }, // (rows, row_groups)
      counts: { element: 'atomic<u32>', access: 'write' },
    },
    code: `${rawElementsWgsl}
fn bits_of(i: u32) -> u32 { return ${widened[format]}; }
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = workgroup_index(id) * ${width * repeat}u + lane;
  let end = min(start + ${width * repeat}u, params.count);
  for (var i = start; i < end; i += ${width}u) {
    let row = i / params.row_groups;
    let group = i % params.row_groups;
    let first = group * ${groupSize}u;
    let last = min(first + ${groupSize}u, params.columns);
    var low = 0.0;
    var high = 0.0;
    for (var c = first; c < last; c++) {
      let value = bitcast<f32>(counted(bits_of(row * params.columns + c), 0x7f800000u));
      low = min(low, value);
      high = max(high, value);
    }
    let scale = narrowed(bitcast<u32>((high - low) / ${most}));
    let step = select(bitcast<f32>(from_half(scale)), 1.0, scale == 0u);
    let zero = min(${most}, floor(0.5 - low / step));
    let to = params.first_row + row;
    groups[to * params.row_groups + group] = scale | (u32(zero) << 16u);
    for (var c = first; c < last; c += ${32 / bits}u) {
      var word = 0u;
      for (var j = 0u; j < ${32 / bits}u; j++) {
        let value = bitcast<f32>(bits_of(row * params.columns + c + j));
        word |= u32(clamp(floor(value / step + 0.5) + zero, 0.0, ${most})) << (j * ${bits}u);
      }
      integers[to * params.words + c / ${32 / bits}u] = word;
    }
  }
}`,
  })
}

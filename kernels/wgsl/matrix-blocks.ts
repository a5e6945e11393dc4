import type { MatrixUnits } from '../device/adapter.ts'
import { unroll } from './text.ts'

// Matrix units multiply whole blocks: a subgroup of 32 lanes holds a block of the left factor, one of the right factor and
// one of sums, spread over its lanes in an order that only the hardware knows, and one instruction does
//
//            16 k            width                width
//         ┌────────┐       ┌───────┐            ┌───────┐
//      16 │  Left  │  16 k │ Right │   added to │ Sums  │ 16
//         └────────┘       └───────┘            └───────┘
//           float16         float16              float32
//
// WGSL reaches them by Dawn's extension chromium_experimental_subgroup_matrix ("native"). Lanes cannot touch single
// elements of a block: they store it to workgroup memory and read it there. Where there are no such units, plain loops do
// the same ("emulated"), which is how the kernels are tested on software adapters.

/** An array of vec4u, each of 8 float16, and how blocks lie in it: rows of k, or of the product's rows or columns. */
export interface BlockSource {
  array: string
  /** Which index the 8 neighbours of a vector count: k, or the product's row (of the right factor: its column). */
  fast: 'k' | 'index'
}

/** What a kernel multiplies: pair i multiplies a block of `left[i]` by a block of `right[i]`. */
export interface BlockPairs {
  left: readonly BlockSource[]
  right: readonly BlockSource[]
  /** Columns of a block of sums: 16, or 8. */
  width?: 8 | 16
  /** Workgroup arrays of vec4u that sums are stored to and loaded from, as the bits of float32. */
  tiles?: readonly string[]
  /** Arrays of f32 that sums are stored to. */
  outputs?: readonly string[]
}

/**
 * Writes WGSL over blocks. `at` and `pitch`, the distance from row to row, count elements of the array: vectors of 8
 * float16 in factors, vectors of 4 float32 in tiles, single numbers in outputs.
 */
export interface BlocksWgsl {
  enables: string
  /** To be put after the declarations of all arrays. */
  declarations: string
  /** Further parameters of the entry point. */
  builtins: string
  /** Whether a block of a factor has its numbers: otherwise they are read when it is multiplied. */
  keepsBlocks: boolean
  /** Which of the workgroup's subgroups, each of 32 lanes, this lane belongs to. */
  subgroup: string
  /** Expressions: a block of the pair's left factor, and of its right factor. */
  left(at: string, pitch: string, pair?: number): string
  right(at: string, pitch: string, pair?: number): string
  /** Expression: `sums` plus the product of two blocks of this pair. */
  multiply(left: string, right: string, sums: string, pair?: number): string
  /** Statement: writes sums row by row into a tile or an output, or column by column into an output. */
  store(array: string, at: string, pitch: number, sums: string, order?: 'rows' | 'columns'): string
  /** Expression: sums that were stored to a tile. */
  load(array: string, at: string, pitch: number): string
}

export const matrixBlocks = (units: MatrixUnits, pairs: BlockPairs): BlocksWgsl =>
  units === 'native' ? native(pairs) : emulated(pairs)

function native({ left, right, width = 16 }: BlockPairs): BlocksWgsl {
  const load = (type: string, order: string, array: string, at: string, pitch: string) =>
    `subgroupMatrixLoad<${type}, ${order}>(&${array}, ${at}, ${pitch})`
  return {
    enables: 'enable f16;\nenable chromium_experimental_subgroup_matrix;',
    declarations: `
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, ${width}, 16>;
alias Sums = subgroup_matrix_result<f32, ${width}, 16>;`,
    builtins: ', @builtin(subgroup_id) subgroup_id: u32',
    keepsBlocks: true,
    subgroup: 'subgroup_id',
    // The left factor's rows are the product's rows, the right factor's columns are its columns.
    left(at, pitch, pair = 0) {
      const { array, fast } = left[pair]
      return load('Left', fast === 'k' ? 'row_major' : 'col_major', array, at, pitch)
    },
    right(at, pitch, pair = 0) {
      const { array, fast } = right[pair]
      return load('Right', fast === 'k' ? 'col_major' : 'row_major', array, at, pitch)
    },
    multiply: (left, right, sums) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sums})`,
    store: (array, at, pitch, sums, order = 'rows') =>
      `subgroupMatrixStore<${order === 'rows' ? 'row_major' : 'col_major'}>(&${array}, ${at}, ${sums}, ${pitch}u)`,
    load: (array, at, pitch) => load('Sums', 'row_major', array, at, `${pitch}u`),
  }
}

/**
 * A factor's block is only its place and pitch. Of the sums, lane l holds the l-th 32nd in row-major order, in vectors of
 * four. The loop's end is not a constant, since software drivers unroll what they can and then compile for minutes.
 */
function emulated({ left, right, width = 16, tiles = [], outputs = [] }: BlockPairs): BlocksWgsl {
  const quads = unroll(width / 8, q => q)
  const first = `let at = lane % 32u * ${width / 2}u;`
  const inRow = (quad: number) => `at % ${width}u + ${quad * 4}u`
  const element = ({ array, fast }: BlockSource) => `
  let at = ${fast === 'k' ? '(block.x + index * block.y) * 8u + k' : '(block.x + k * block.y) * 8u + index'};
  return unpack2x16float(${array}[at >> 3u][(at >> 1u) & 3u])[at & 1u];`
  const multiply = left.map(
    (source, i) => `
fn of_left_${i}(block: vec2u, index: u32, k: u32) -> f32 {${element(source)} }
fn of_right_${i}(block: vec2u, index: u32, k: u32) -> f32 {${element(right[i])} }
fn four_of_right_${i}(block: vec2u, index: u32, k: u32) -> vec4f {
  return vec4f(${unroll(4, j => `of_right_${i}(block, index + ${j}u, k)`).join(', ')});
}
fn multiply_${i}(a: vec2u, b: vec2u, before: Sums, lane: u32) -> Sums {
  var sums = before;
  ${first}
  for (var k = 0u; k < min(16u, params.grid_width / 65536u + 16u); k++) {
    let left = vec4f(of_left_${i}(a, at / ${width}u, k));
    ${quads.map(q => `sums[${q}] = fma(left, four_of_right_${i}(b, ${inRow(q)}, k), sums[${q}]);`).join('\n    ')}
  }
  return sums;
}`,
  )
  const throughTile = (array: string) => {
    const place = (quad: number) => `${array}[to + at / ${width}u * pitch + (${inRow(quad)}) / 4u]`
    return `
fn store_${array}(to: u32, pitch: u32, block: Sums, lane: u32) {
  ${first}
  ${quads.map(q => `${place(q)} = bitcast<vec4u>(block[${q}]);`).join('\n  ')}
}
fn load_${array}(to: u32, pitch: u32, lane: u32) -> Sums {
  ${first}
  return Sums(${quads.map(q => `bitcast<vec4f>(${place(q)})`).join(', ')});
}`
  }
  const toOutput = (array: string) => `
fn store_${array}(to: u32, pitch: u32, block: Sums, lane: u32) {
  ${first}
  let start = to + at / ${width}u * pitch;
  ${quads.flatMap(q => unroll(4, j => `${array}[start + ${inRow(q)} + ${j}u] = block[${q}][${j}];`)).join('\n  ')}
}
fn store_columns_${array}(to: u32, pitch: u32, block: Sums, lane: u32) {
  ${first}
  let start = to + at / ${width}u;
  ${quads.flatMap(q => unroll(4, j => `${array}[start + (${inRow(q)} + ${j}u) * pitch] = block[${q}][${j}];`)).join('\n  ')}
}`
  return {
    enables: '',
    declarations: `
alias Left = vec2u;
alias Right = vec2u;
alias Sums = array<vec4f, ${quads.length}>;
${[...multiply, ...tiles.map(throughTile), ...outputs.map(toOutput)].join('')}`,
    builtins: '',
    keepsBlocks: false,
    subgroup: 'lane / 32u',
    left: (at, pitch) => `vec2u(${at}, ${pitch})`,
    right: (at, pitch) => `vec2u(${at}, ${pitch})`,
    multiply: (a, b, sums, pair = 0) => `multiply_${pair}(${a}, ${b}, ${sums}, lane)`,
    store: (array, at, pitch, sums, order = 'rows') =>
      `store_${order === 'rows' ? '' : 'columns_'}${array}(${at}, ${pitch}u, ${sums}, lane)`,
    load: (array, at, pitch) => `load_${array}(${at}, ${pitch}u, lane)`,
  }
}

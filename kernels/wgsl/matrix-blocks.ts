import type { MatrixUnits } from '../device/adapter.ts'

/** An array of vec4u, each of 8 float16, and how blocks lie in it: rows of k, or of the product's rows or columns. */
export interface BlockSource {
  array: string
  fast: 'k' | 'index'
}

/**
 * WGSL over blocks of 16 × 16 × 16, or 16 × 8 × 16, whose factors come from arrays of any kind. `at` and `pitch` count elements of the
 * array: vectors of 8 float16 in factors, vectors of 4 float32 in `store`, numbers in `storeTo`.
 */
export interface BlocksWgsl {
  enables: string
  /** To be put behind the declarations of all arrays. */
  declarations: string
  /** Further parameters of the entry point. */
  builtins: string
  /** Which of the workgroup's subgroups, each of 32 lanes, this lane belongs to. */
  subgroup: string
  left(at: string, pitch: string, source?: number): string
  right(at: string, pitch: string, source?: number): string
  /** Adds the product of two factors made by `left` and `right` of these sources. */
  multiply(left: string, right: string, sums: string, source?: number): string
  /** Writes sums into a workgroup's array of vec4u as float32 bits, row by row. */
  store(array: string, at: string, pitch: number, sums: string): string
  /** Writes sums into an array of f32, row by row. */
  storeTo(array: string, at: string, pitch: number, sums: string): string
}

/** What kernels multiply: pair i multiplies a block of `left[i]` by a block of `right[i]`. */
export interface BlockPairs {
  left: readonly BlockSource[]
  right: readonly BlockSource[]
  /** Rows of the right factor's blocks (columns of the product): 16, or 8. */
  width?: 8 | 16
  /** Arrays that results are written to. */
  tiles?: readonly string[]
  outputs?: readonly string[]
}

export const matrixBlocks = (units: MatrixUnits, pairs: BlockPairs): BlocksWgsl =>
  units === 'native' ? native(pairs) : emulated(pairs)

function native(pairs: BlockPairs): BlocksWgsl {
  const load = (type: string, order: string, array: string, at: string, pitch: string) =>
    `subgroupMatrixLoad<${type}, ${order}>(&${array}, ${at}, ${pitch})`
  const store = (array: string, at: string, pitch: number, sums: string) =>
    `subgroupMatrixStore<row_major>(&${array}, ${at}, ${sums}, ${pitch}u)`
  return {
    enables: 'enable f16;\nenable chromium_experimental_subgroup_matrix;',
    declarations: `
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, ${pairs.width ?? 16}, 16>;
alias Sums = subgroup_matrix_result<f32, ${pairs.width ?? 16}, 16>;`,
    builtins: ', @builtin(subgroup_id) subgroup_id: u32',
    subgroup: 'subgroup_id',
    left(at, pitch, source = 0) {
      const { array, fast } = pairs.left[source]
      return load('Left', fast === 'k' ? 'row_major' : 'col_major', array, at, pitch)
    },
    right(at, pitch, source = 0) {
      const { array, fast } = pairs.right[source]
      return load('Right', fast === 'k' ? 'col_major' : 'row_major', array, at, pitch)
    },
    multiply: (left, right, sums) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sums})`,
    store,
    storeTo: store,
  }
}

// A block stands for where it begins; lane l holds a 32nd of the results, in row-major order. The loops' ends are
// not constants, since software drivers unroll what they can and then compile for minutes.
function emulated({ left, right, tiles = [], outputs = [], width = 16 }: BlockPairs): BlocksWgsl {
  const half = ({ array, fast }: BlockSource) => {
    const element =
      fast === 'k' ? '(block.x + index * block.y) * 8u + k' : '(block.x + k * block.y) * 8u + index'
    return `let at = ${element};\n  return unpack2x16float(${array}[at >> 3u][(at >> 1u) & 3u])[at & 1u];`
  }
  const multiply = left.map(
    (source, i) => `
fn of_left_${i}(block: vec2u, index: u32, k: u32) -> f32 { ${half(source)} }
fn of_right_${i}(block: vec2u, index: u32, k: u32) -> f32 { ${half(right[i])} }
fn multiply_${i}(a: vec2u, b: vec2u, before: Sums, lane: u32) -> Sums {
  var sums = before;
  for (var e = 0u; e < own(); e++) {
    let at = lane % 32u * ${width / 2}u + e;
    for (var k = 0u; k < ${32 / width}u * own(); k++) { sums[e] += of_left_${i}(a, at / ${width}u, k) * of_right_${i}(b, at % ${width}u, k); }
  }
  return sums;
}`,
  )
  const store = (array: string, place: string, value: string) => `
fn store_${array}(to: u32, pitch: u32, block: Sums, lane: u32) {
  for (var e = 0u; e < own(); e++) {
    let at = lane % 32u * ${width / 2}u + e;
    ${array}${place} = ${value};
  }
}`
  return {
    enables: '',
    declarations: `
alias Left = vec2u;
alias Right = vec2u;
alias Sums = array<f32, ${width / 2}>;
fn own() -> u32 { return min(${width / 2}u, params.grid_width + ${width / 2}u); }
${multiply.join('')}
${tiles.map(array => store(array, `[to + at / ${width}u * pitch + at % ${width}u / 4u][at & 3u]`, 'bitcast<u32>(block[e])')).join('')}
${outputs.map(array => store(array, `[to + at / ${width}u * pitch + at % ${width}u]`, 'block[e]')).join('')}`,
    builtins: '',
    subgroup: 'lane / 32u',
    left: (at, pitch) => `vec2u(${at}, ${pitch})`,
    right: (at, pitch) => `vec2u(${at}, ${pitch})`,
    multiply: (a, b, sums, source = 0) => `multiply_${source}(${a}, ${b}, ${sums}, lane)`,
    store: (array, at, pitch, sums) => `store_${array}(${at}, ${pitch}u, ${sums}, lane)`,
    storeTo: (array, at, pitch, sums) => `store_${array}(${at}, ${pitch}u, ${sums}, lane)`,
  }
}

import type { MatrixUnits } from '../device/adapter.ts'

/** How a factor's blocks lie in memory: `k` the fast index, or the row (of b: the column) of the product. */
export type Fast = 'k' | 'index'

/**
 * WGSL over blocks of 16 × 16 × 16. `Sums` is a block of results, spread over a subgroup. In workgroup memory `tile`, of
 * vec4u, each of 8 float16: `loadLeft`, `loadRight` read a factor's block whose rows lie `pitch` vectors apart; `multiply`
 * adds their product; `store` writes results as float32, four to a vector, and `loadSums` reads them back.
 */
export interface MatrixWgsl {
  enables: string
  /** To be put before the entry point, after the declaration of `tile`. */
  declarations: string
  /** Further parameters of the entry point. */
  builtins: string
  /** Which of the workgroup's subgroups, each of 32 lanes, this lane belongs to. */
  subgroup: string
  loadLeft(fast: Fast, at: string, pitch: string): string
  loadRight(fast: Fast, at: string, pitch: string): string
  multiply(left: string, right: string, sums: string): string
  store(at: string, pitch: number, sums: string): string
  loadSums(at: string, pitch: number): string
}

/** `left` names the array that holds the left factor's blocks. */
export function matrixWgsl(units: MatrixUnits, left = 'tile'): MatrixWgsl {
  return units === 'native' ? native(left) : emulated(left)
}

function native(leftArray: string): MatrixWgsl {
  const load = (type: string, order: string, array: string, at: string, pitch: string) =>
    `subgroupMatrixLoad<${type}, ${order}>(&${array}, ${at}, ${pitch})`
  return {
    enables: 'enable f16;\nenable chromium_experimental_subgroup_matrix;',
    declarations: `
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;`,
    builtins: ', @builtin(subgroup_id) subgroup_id: u32',
    subgroup: 'subgroup_id',
    // The left factor's rows are the product's, the right factor's columns are.
    loadLeft: (fast, at, pitch) =>
      load('Left', fast === 'k' ? 'row_major' : 'col_major', leftArray, at, pitch),
    loadRight: (fast, at, pitch) =>
      load('Right', fast === 'k' ? 'col_major' : 'row_major', 'tile', at, pitch),
    multiply: (left, right, sums) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sums})`,
    store: (at, pitch, sums) => `subgroupMatrixStore<row_major>(&tile, ${at}, ${sums}, ${pitch}u)`,
    loadSums: (at, pitch) => `subgroupMatrixLoad<Sums, row_major>(&tile, ${at}, ${pitch}u)`,
  }
}

// A block stands for where it begins; lane l holds the results 8 l to 8 l + 7, in row-major order. The loops' ends are
// not constants, since software drivers unroll what they can and then compile for minutes.
function emulated(left: string): MatrixWgsl {
  const element = (array: string) => `
  let at = (block.x + select(k, index, block.z == 0u) * block.y) * 8u + select(index, k, block.z == 0u);
  return unpack2x16float(${array}[at >> 3u][(at >> 1u) & 3u])[at & 1u];`
  const block = (fast: Fast, at: string, pitch: string) =>
    `vec3u(${at}, ${pitch}, ${fast === 'k' ? '0u' : '1u'})`
  return {
    enables: '',
    declarations: `
struct Sums { low: vec4f, high: vec4f }
fn of_left(block: vec3u, index: u32, k: u32) -> f32 {${element(left)} }
fn of_right(block: vec3u, index: u32, k: u32) -> f32 {${element('tile')} }
fn four_of_right(block: vec3u, index: u32, k: u32) -> vec4f {
  return vec4f(of_right(block, index, k), of_right(block, index + 1u, k), of_right(block, index + 2u, k), of_right(block, index + 3u, k));
}
fn multiply(a: vec3u, b: vec3u, before: Sums, lane: u32) -> Sums {
  var sums = before;
  let at = lane % 32u * 8u;
  for (var k = 0u; k < min(16u, params.grid_width / 65536u + 16u); k++) {
    let left = of_left(a, at / 16u, k);
    sums.low = fma(vec4f(left), four_of_right(b, at % 16u, k), sums.low);
    sums.high = fma(vec4f(left), four_of_right(b, at % 16u + 4u, k), sums.high);
  }
  return sums;
}
fn store(to: u32, pitch: u32, sums: Sums, lane: u32) {
  let at = to + lane % 32u / 2u * pitch + lane % 2u * 2u;
  tile[at] = bitcast<vec4u>(sums.low);
  tile[at + 1u] = bitcast<vec4u>(sums.high);
}
fn load_sums(start: u32, pitch: u32, lane: u32) -> Sums {
  let at = start + lane % 32u / 2u * pitch + lane % 2u * 2u;
  return Sums(bitcast<vec4f>(tile[at]), bitcast<vec4f>(tile[at + 1u]));
}`,
    builtins: '',
    subgroup: 'lane / 32u',
    loadLeft: block,
    loadRight: block,
    multiply: (left, right, sums) => `multiply(${left}, ${right}, ${sums}, lane)`,
    store: (at, pitch, sums) => `store(${at}, ${pitch}u, ${sums}, lane)`,
    loadSums: (at, pitch) => `load_sums(${at}, ${pitch}u, lane)`,
  }
}

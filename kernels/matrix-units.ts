import type { MatrixUnits } from './device.ts'

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
alias Sums = array<f32, 8>;
fn eight() -> u32 { return min(8u, params.grid_width / 65536u + 8u); }
fn of_left(block: vec3u, index: u32, k: u32) -> f32 {${element(left)} }
fn of_right(block: vec3u, index: u32, k: u32) -> f32 {${element('tile')} }
fn multiply(a: vec3u, b: vec3u, before: Sums, lane: u32) -> Sums {
  var sums = before;
  for (var e = 0u; e < eight(); e++) {
    let at = lane % 32u * 8u + e;
    for (var k = 0u; k < 2u * eight(); k++) { sums[e] += of_left(a, at / 16u, k) * of_right(b, at % 16u, k); }
  }
  return sums;
}
fn store(to: u32, pitch: u32, sums: Sums, lane: u32) {
  for (var e = 0u; e < eight(); e++) {
    let at = lane % 32u * 8u + e;
    tile[to + at / 16u * pitch + at % 16u / 4u][at & 3u] = bitcast<u32>(sums[e]);
  }
}
fn load_sums(start: u32, pitch: u32, lane: u32) -> Sums {
  var sums: Sums;
  for (var e = 0u; e < eight(); e++) {
    let at = lane % 32u * 8u + e;
    sums[e] = bitcast<f32>(tile[start + at / 16u * pitch + at % 16u / 4u][at & 3u]);
  }
  return sums;
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

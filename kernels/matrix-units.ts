import type { MatrixUnits } from './device.ts'

/** How a factor's blocks lie in memory: `k` the fast index, or the row (of b: the column) of the product. */
export type Fast = 'k' | 'index'

/**
 * WGSL over blocks of 16 × 16 × 16. `Sums` is a block of results, spread over a subgroup. In workgroup memory `tile`, of
 * vec4u, each of 8 float16: `load_a(at, pitch)`, `load_b(at, pitch)` read a factor's block whose rows lie `pitch` vectors
 * apart; `multiply(a, b, sums, lane)` adds their product; `store(at, pitch, sums, lane)` writes results as float32, four
 * to a vector.
 */
export interface MatrixWgsl {
  enables: string
  /** To be put before the entry point, after the declaration of `tile`. */
  declarations: string
  /** Further parameters of the entry point. */
  builtins: string
  /** Which of the workgroup's subgroups, each of 32 lanes, this lane belongs to. */
  subgroup: string
  loadA(at: string, pitch: string): string
  loadB(at: string, pitch: string): string
  multiply(a: string, b: string, sums: string): string
  store(at: string, pitch: number, sums: string): string
}

/** `left` names the array that holds a's blocks. */
export function matrixWgsl(units: MatrixUnits, a: Fast, b: Fast, left = 'tile'): MatrixWgsl {
  return units === 'native' ? native(a, b, left) : emulated(a, b, left)
}

function native(a: Fast, b: Fast, leftArray: string): MatrixWgsl {
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
    loadA: (at, pitch) => load('Left', a === 'k' ? 'row_major' : 'col_major', leftArray, at, pitch),
    loadB: (at, pitch) => load('Right', b === 'k' ? 'col_major' : 'row_major', 'tile', at, pitch),
    multiply: (left, right, sums) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sums})`,
    store: (at, pitch, sums) => `subgroupMatrixStore<row_major>(&tile, ${at}, ${sums}, ${pitch}u)`,
  }
}

// A block stands for where it begins; lane l holds the results 8 l to 8 l + 7, in row-major order. The loops' ends are
// not constants, since software drivers unroll what they can and then compile for minutes.
function emulated(a: Fast, b: Fast, left: string): MatrixWgsl {
  const half = (array: string, at: string) =>
    `let at = ${at};\n  return unpack2x16float(${array}[at >> 3u][(at >> 1u) & 3u])[at & 1u];`
  const element = (fast: Fast) =>
    fast === 'k' ? '(block.x + index * block.y) * 8u + k' : '(block.x + k * block.y) * 8u + index'
  return {
    enables: '',
    declarations: `
alias Sums = array<f32, 8>;
fn of_a(block: vec2u, index: u32, k: u32) -> f32 { ${half(left, element(a))} }
fn of_b(block: vec2u, index: u32, k: u32) -> f32 { ${half('tile', element(b))} }
fn multiply(a: vec2u, b: vec2u, before: Sums, lane: u32) -> Sums {
  var sums = before;
  let eight = min(8u, params.repeats + 8u);
  for (var e = 0u; e < eight; e++) {
    let at = lane % 32u * 8u + e;
    for (var k = 0u; k < 2u * eight; k++) { sums[e] += of_a(a, at / 16u, k) * of_b(b, at % 16u, k); }
  }
  return sums;
}
fn store(to: u32, pitch: u32, sums: Sums, lane: u32) {
  for (var e = 0u; e < min(8u, params.repeats + 8u); e++) {
    let at = lane % 32u * 8u + e;
    tile[to + at / 16u * pitch + at % 16u / 4u][at & 3u] = bitcast<u32>(sums[e]);
  }
}`,
    builtins: '',
    subgroup: 'lane / 32u',
    loadA: (at, pitch) => `vec2u(${at}, ${pitch})`,
    loadB: (at, pitch) => `vec2u(${at}, ${pitch})`,
    multiply: (left, right, sums) => `multiply(${left}, ${right}, ${sums}, lane)`,
    store: (at, pitch, sums) => `store(${at}, ${pitch}u, ${sums}, lane)`,
  }
}

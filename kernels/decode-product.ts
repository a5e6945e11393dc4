import { each } from './matmul-variant.ts'
import { matrixBlocks } from './matrix-blocks.ts'
import { type BufferSpec, type Kernel, kernel, type Target } from './plan.ts'
import type { Tensor } from './tensor.ts'

/** Rows of a block of float16 factors, as there are so many rows: the units' narrow blocks where they are enough. */
export const blockRowsOf = (rows: number): 8 | 16 => (rows <= 8 ? 8 : 16)

/** How a workgroup of a product of a decode step works: its subgroups take turns at steps of `depth` k. */
export interface StepTile {
  subgroups: number
  /** Blocks of 16 columns. */
  columnBlocks: number
  depth: number
}

/**
 * Rows as factors of matrix units: float16 blocks (k / 16, rows / 16, 16 rows, 16 k), of 8 rows where that is all, so that a subgroup reads a block
 * as one run. Rows past the last are never looked at.
 */
export function blocksOf(rows: number, inner: number): readonly number[] {
  if (inner % 16 !== 0) throw new Error(`decode: rows must hold a multiple of 16 numbers, got ${inner}`)
  const high = blockRowsOf(rows)
  return [inner / 16, Math.ceil(rows / high), high, 16]
}

/** WGSL: where element (row, k) lies in blocks of so many rows, `row_blocks` of them side by side. */
export const blockIndexWgsl = (high: number): string => `
fn block_index(row: u32, k: u32, row_blocks: u32) -> u32 {
  return ((k >> 4u) * row_blocks + row / ${high}u) * ${high * 16}u + row % ${high}u * 16u + (k & 15u);
}`

/**
 * Sums of squares of rows, from which the reader of a normed row takes its scale: (parts + 1, padded rows). Row `parts`
 * holds the scale that the writer used in place of the exact one, to stay within float16.
 */
export const squaresOf = (rows: number, parts: number): readonly number[] => [
  parts + 1,
  Math.ceil(rows / blockRowsOf(rows)) * blockRowsOf(rows),
]

export interface StepProduct {
  target: Target
  name: string
  tile: StepTile
  rows: number
  /** Extent of the sums. */
  inner: number
  /** Workgroups along the columns. */
  columnTiles: number
  /**
   * Weights (outputs, inner) by part: the first and the second half of a workgroup's columns read rows of these
   * buffers, from `first` and `second` on.
   */
  weights: readonly (readonly [string, string])[]
  /** WGSL that from `tile` (which of the columns' workgroups) makes `let part`, `let first` and `let second`. */
  locate: string
  /** WGSL after the sums, with `sum_of(row, column)`, `scale_of(row)` and `row_base`, once for each lane. */
  finish: string
  functions?: string
  params?: Readonly<Record<string, number>>
  types?: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>
  buffers: Readonly<Record<string, BufferSpec & { tensor: Tensor }>>
  /** Blocks of the rows, bound as `x`. */
  x: Tensor
  /** Sums of squares of the rows, bound as `squares`; without, `scale_of` is 1. */
  squares?: Tensor
}

/** A product's kernel, its call and its grid. */
export interface Recorded {
  kernel: Kernel
  params: Record<string, number>
  buffers: Record<string, Tensor>
  grid: number
}

/**
 * sum(row, column) = Σ x[row, k] · weight[column, k] for few rows, bound by reading the weights: each is read once, in
 * whole lines, 16 bytes a lane, and goes through workgroup memory to the matrix units; the rows' blocks come straight
 * from the cache. Subgroups divide k, and their sums meet in workgroup memory.
 */
export function stepProduct(of: StepProduct): Recorded {
  const { target, tile, rows, inner, columnTiles, x, squares } = of
  const { subgroups, columnBlocks, depth } = tile
  const lanes = subgroups * 32
  const columns = columnBlocks * 16
  const high = blockRowsOf(rows)
  const allBlocks = Math.ceil(rows / high)
  const rowBlocks = allBlocks <= 1 ? 1 : allBlocks <= 2 ? 2 : 4
  const rowTiles = Math.ceil(allBlocks / rowBlocks)
  const wide = depth / 8 // vectors of a row in a step
  const down = 32 / wide // rows that a subgroup brings at once
  const chunks = columns / down
  const pitch = wide + 1
  const staged = columns * pitch // of one subgroup
  const block = high * 4 // vectors of a block of sums
  const sums = columnBlocks * rowBlocks * block
  const tileRows = rowBlocks * high
  const [firstHalf, secondHalf] = [each(chunks / 2, i => i), each(chunks / 2, i => i + chunks / 2)]
  const units = matrixBlocks(target.units, {
    left: [{ array: 'tile', fast: 'k' }],
    right: [{ array: 'x', fast: 'k' }],
    width: high,
    tiles: ['tile'],
  })
  const names = each(columnBlocks, c => each(rowBlocks, r => `sums${c}_${r}`))
  const fetch = (step: string) => {
    const place = (base: string, i: number) =>
      `min(${base} + ${i * down}u + lane_row, params.weight_rows - 1u) * params.inner + k_at`
    const of1 = ([a, b]: readonly [string, string]) => `
      ${firstHalf.map(i => `chunk${i} = ${a}[${place('first', i)}];`).join(' ')}
      ${secondHalf.map(i => `chunk${i} = ${b}[${place('second', i - chunks / 2)}];`).join(' ')}`
    const parts = of.weights.map(of1)
    return `{ let k_at = min(${step} * ${wide}u + lane_k, params.inner - 1u);
      ${parts.map((code, i) => (i + 1 < parts.length ? `if (part == ${i}u) {${code} } else` : `{${code} }`)).join(' ')} }`
  }
  const rowBlock = (r: number) => `min(row_block + ${r}u, params.row_blocks - 1u)`
  const multiply = (kk: number) => `
    ${each(columnBlocks, c => `let left${kk}_${c} = ${units.left(`own + ${c * 16 * pitch + kk * 2}u`, `${pitch}u`)};`).join(' ')}
    ${names.flatMap((line, c) => line.map((name, r) => `${name} = ${units.multiply(`left${kk}_${c}`, `right${kk}_${r}`, name)};`)).join('\n    ')}`
  const right = (kk: number) =>
    each(
      rowBlocks,
      r =>
        `let right${kk}_${r} = ${units.right(`(min(step * ${depth / 16}u + ${kk}u, params.k_blocks - 1u) * params.row_blocks + ${rowBlock(r)}) * ${high * 2}u`, '2u')};`,
    ).join('\n    ')
  const parts = squares ? squares.shape[0] - 1 : 0
  const wholeGroups = lanes / tileRows
  const code = `
var<workgroup> tile: array<vec4u, ${Math.max(subgroups * staged, subgroups * sums)}>;
var<workgroup> scales: array<f32, ${tileRows}>;
${squares ? `var<workgroup> square_sums: array<f32, ${lanes}>;` : ''}
const tile_rows = ${tileRows}u;
const block_rows = ${high}u;
${units.declarations}
${blockIndexWgsl(high)}
fn sum_of(row: u32, column: u32) -> f32 {
  var sum = 0.0;
  let at = ((column >> 4u) * ${rowBlocks}u + row / ${high}u) * ${block}u + (column & 15u) * ${high / 4}u + (row % ${high}u) / 4u;
  for (var s = 0u; s < ${target.units === 'native' ? `${subgroups}u` : 'params.subgroups'}; s++) { sum += bitcast<vec4f>(tile[at + s * ${sums}u])[row & 3u]; }
  return sum;
}
fn scale_of(row: u32) -> f32 { return scales[row]; }
${of.functions ?? ''}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let index = workgroup_index(id);
  let column_tile = index % params.column_tiles;
  let row_block = index / params.column_tiles * ${rowBlocks}u;
  if (row_block >= params.row_blocks) { return; }
  let row_base = row_block * ${high}u;
  ${of.locate}
  let subgroup = ${units.subgroup};
  let own = subgroup * ${staged}u;
  let lane_row = lane % 32u / ${wide}u;
  let lane_k = lane % ${wide}u;
  ${names
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join(' ')}
  ${each(chunks, i => `var chunk${i}: vec4u;`).join(' ')}
  var step = subgroup;
  ${fetch('step')}
  ${
    squares
      ? `var squared = 0.0;
  for (var p = lane / ${tileRows}u; p < params.square_parts; p += ${wholeGroups}u) {
    squared += squares[p * params.row_blocks * ${high}u + min(row_base + lane % ${tileRows}u, params.row_blocks * ${high}u - 1u)];
  }
  square_sums[lane] = squared;`
      : ''
  }
  for (var turn = 0u; turn < params.turns; turn++) {
    workgroupBarrier();
    let here = step * ${wide}u + lane_k < params.inner;
    ${each(chunks, i => `tile[own + (${i * down}u + lane_row) * ${pitch}u + lane_k] = select(vec4u(), chunk${i}, here);`).join('\n    ')}
    ${each(depth / 16, right).join('\n    ')}
    ${fetch(`(step + ${subgroups}u)`)}
    workgroupBarrier();
    ${each(depth / 16, multiply).join('')}
    step += ${subgroups}u;
  }
  workgroupBarrier();
  ${names.flatMap((line, c) => line.map((name, r) => `${units.store('tile', `(subgroup * ${columnBlocks * rowBlocks}u + ${c * rowBlocks + r}u) * ${block}u`, high / 4, name)};`)).join('\n  ')}
  if (lane < ${tileRows}u) {
    ${
      squares
        ? `var squared = 0.0;
    for (var p = 0u; p < ${target.units === 'native' ? `${wholeGroups}u` : `params.square_groups`}; p++) { squared += square_sums[p * ${tileRows}u + lane]; }
    let used = squares[params.square_parts * params.row_blocks * ${high}u + min(row_base + lane, params.row_blocks * ${high}u - 1u)];
    scales[lane] = inverseSqrt(squared / f32(params.normed) + params.epsilon) / used;`
        : 'scales[lane] = 1.0;'
    }
  }
  workgroupBarrier();
  ${of.finish}
}`
  const own = Object.entries(of.buffers)
  const read = (element: string): BufferSpec => ({ element, access: 'read' })
  const { params = {}, types = {} } = of
  const specs: Record<string, BufferSpec> = { x: read('vec4u') }
  if (squares) specs.squares = read('f32')
  for (const [key, { element, access }] of own) specs[key] = { element, access }
  const name = `${of.name}_${tileRows}x${columns}_${subgroups}x${depth}`
  return {
    kernel: kernel({
      name,
      enables: target.units === 'native' ? units.enables : 'enable f16;',
      params: {
        ...{
          rows: 'u32',
          inner: 'u32',
          turns: 'u32',
          k_blocks: 'u32',
          row_blocks: 'u32',
          column_tiles: 'u32',
        },
        ...{ weight_rows: 'u32', subgroups: 'u32', square_parts: 'u32', square_groups: 'u32' },
        ...{ normed: 'u32', epsilon: 'f32' },
        ...types,
      } as Record<string, 'u32' | 'i32' | 'f32'>,
      buffers: specs,
      code,
    }),
    params: {
      ...{ rows, inner: inner / 8, turns: Math.ceil(inner / depth / subgroups), k_blocks: inner / 16 },
      ...{ row_blocks: allBlocks, column_tiles: columnTiles, subgroups, square_parts: parts },
      ...{ square_groups: wholeGroups, weight_rows: 1, normed: 1, epsilon: 0 },
      ...params,
    },
    buffers: {
      x,
      ...(squares && { squares }),
      ...Object.fromEntries(own.map(([key, { tensor }]) => [key, tensor])),
    },
    grid: columnTiles * rowTiles,
  }
}

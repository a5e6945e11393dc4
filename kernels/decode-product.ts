import { each } from './matmul-variant.ts'
import { matrixBlocks } from './matrix-blocks.ts'
import { type BufferSpec, type Kernel, kernel, type Target } from './plan.ts'
import type { Tensor } from './tensor.ts'

/** Rows of a block of float16 factors, as there are so many rows: the units' narrow blocks where they are enough. */
export const blockRowsOf = (rows: number): 8 | 16 => (rows <= 8 ? 8 : 16)

/** How a workgroup of a product of a decode step works. */
export interface StepTile {
  subgroups: number
  /** Blocks of 16 columns that a subgroup makes. */
  columnBlocks: number
  /** k that a subgroup brings at once. */
  depth: number
  /**
   * What the subgroups divide. With k they take turns at its steps, and their sums meet in workgroup memory. With
   * columns each makes its own, and the rows go through workgroup memory, read once for all: for many rows.
   */
  divide: 'k' | 'columns'
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
  /** Columns by tiles, each of which a workgroup makes, or a subgroup where these divide the columns. */
  columnTiles: number
  /** Results of a row in a tile: a lane finishes one at a time. */
  results: number
  /**
   * Weights (outputs, inner) by part: the first and the second half of a tile's columns read rows of these buffers,
   * from `first` and `second` on. Only where subgroups divide k there may be several parts.
   */
  weights: readonly (readonly [string, string])[]
  /** Rows of the weights, where tiles may go beyond. */
  weightRows?: number
  /** WGSL that from `column_tile` makes `let part`, `let first` and `let second`. */
  locate: string
  /**
   * WGSL for the result of `row` and `column` in the tile, the names of which end in the suffix: loads that need no
   * sums, made before them, of any `row` below `tile_rows`.
   */
  prepare(suffix: string): string
  /** WGSL for the same result, with `sum_of(row, column)` and `scale_of(row)`; its row may be none of the rows. */
  finish(suffix: string): string
  /** WGSL after all results, for all lanes. */
  after?: string
  functions?: string
  params?: Readonly<Record<string, number>>
  types?: Readonly<Record<string, 'u32' | 'i32' | 'f32'>>
  buffers: Readonly<Record<string, BufferSpec & { tensor: Tensor }>>
  /** Blocks of the rows, bound as `x`. */
  x: Tensor
  /**
   * What `scale_of` says, bound as `squares`: with `norm`, how the exact scale of the rows' norm differs from the one they
   * were written with, found from sums of squares; the exact one is left in `scales` too. Else the number there.
   */
  squares: Tensor
  norm?: { size: number; epsilon: number; scales: Tensor }
}

/** A product's kernel, its call and its grid. */
export interface Recorded {
  kernel: Kernel
  params: Record<string, number>
  buffers: Record<string, Tensor>
  grid: number
}

/** Results that a lane prepares before the sums; beyond, it does so one after the other behind them. */
const mostPrepared = 4

/**
 * sum(row, column) = Σ x[row, k] · weight[column, k] for few rows, bound by reading the weights: each is read once, in
 * whole lines, 16 bytes a lane, and goes through workgroup memory to the matrix units, while the next are on their way.
 */
export function stepProduct(of: StepProduct): Recorded {
  const { target, tile, rows, inner, columnTiles, squares, norm, results, weightRows } = of
  const isNormed = norm !== undefined
  const { subgroups, columnBlocks, depth, divide } = tile
  const byColumns = divide === 'columns'
  if (byColumns && columnTiles % subgroups !== 0)
    throw new Error(`decode: ${columnTiles} tiles of columns must be a multiple of ${subgroups} subgroups`)
  const lanes = subgroups * 32
  const high = blockRowsOf(rows)
  const allBlocks = Math.ceil(rows / high)
  const rowBlocks = allBlocks <= 1 ? 1 : allBlocks <= 2 ? 2 : 4
  const tileRows = rowBlocks * high
  if (lanes % tileRows !== 0)
    throw new Error(`decode: ${subgroups} subgroups must not be fewer than ${tileRows} rows need`)
  const wide = depth / 8 // vectors of a row in a step
  const down = 32 / wide // rows that a subgroup brings at once
  const chunks = (columnBlocks * 16) / down
  const pitch = wide + 1
  const staged = columnBlocks * 16 * pitch // of one subgroup
  const block = high * 4 // vectors of a block of sums
  const sums = columnBlocks * rowBlocks * block // of one subgroup
  const rowVectors = (depth / 16) * rowBlocks * high * 2 // of a step
  const rowChunks = Math.ceil(rowVectors / lanes)
  const sharers = byColumns ? 1 : subgroups // subgroups whose sums meet
  const native = target.units === 'native'
  // Drivers of GPUs make better code with known extents; software drivers unroll what they know and compile for minutes.
  const known = (name: string, value: number) => (native ? `${value}u` : `params.${name}`)
  const stepsOfTurn = byColumns ? 1 : subgroups
  const extents = {
    inner: inner / 8,
    turns: Math.ceil(inner / depth / stepsOfTurn),
    k_blocks: inner / 16,
    sharers,
    square_parts: isNormed ? squares.shape[0] - 1 : 0,
    square_groups: lanes / tileRows,
  }
  const [vectors, turns, kBlocks] = (['inner', 'turns', 'k_blocks'] as const).map(n => known(n, extents[n]))
  const [squareParts, squareGroups] = (['square_parts', 'square_groups'] as const).map(n =>
    known(n, extents[n]),
  )
  const rowBlocksHere = native && allBlocks === 1 ? '1u' : 'params.row_blocks'
  const isWhole = inner % (depth * stepsOfTurn) === 0
  const units = matrixBlocks(target.units, {
    left: [{ array: 'tile', fast: 'k' }],
    right: [{ array: byColumns ? 'row_tile' : 'x', fast: 'k' }],
    width: high,
    tiles: ['tile'],
  })
  const names = each(columnBlocks, c => each(rowBlocks, r => `sums${c}_${r}`))
  const all = <T>(count: number, line: (i: number) => T) => each(count, line).join('\n    ')
  const at = (half: string, i: number) =>
    weightRows === undefined
      ? `${half}_at + ${i * down}u * ${vectors} + k_at`
      : `min(${half} + ${i * down}u + lane_row, ${weightRows - 1}u) * ${vectors} + k_at`
  const fetch = (step: string) => {
    const parts = of.weights.map(([a, b]) =>
      all(chunks, i =>
        i < chunks / 2
          ? `chunk${i} = ${a}[${at('first', i)}];`
          : `chunk${i} = ${b}[${at('second', i - chunks / 2)}];`,
      ),
    )
    return `{
    let k_at = min(${step} * ${wide}u + lane_k, ${vectors} - 1u);
    ${parts.map((code, i) => (i + 1 < parts.length ? `if (part == ${i}u) { ${code} } else` : `{ ${code} }`)).join(' ')}
    }`
  }
  const rowBlockAt = (step: string, kk: string, r: string) =>
    `(min(${step} * ${depth / 16}u + ${kk}, ${kBlocks} - 1u) * ${rowBlocksHere} + min(row_block + ${r}, ${rowBlocksHere} - 1u)) * ${high * 2}u`
  // Vectors of a step's rows lie block after block, as they do in memory.
  const fetchRows = (step: string) =>
    byColumns
      ? all(rowChunks, i => {
          const vector = `(lane + ${i * lanes}u)`
          const place = rowBlockAt(
            step,
            `${vector} / ${rowBlocks * high * 2}u`,
            `${vector} / ${high * 2}u % ${rowBlocks}u`,
          )
          return `row_chunk${i} = x[${place} + ${vector} % ${high * 2}u];`
        })
      : ''
  const putRows = byColumns
    ? all(rowChunks, i => {
        const put = `row_tile[lane + ${i * lanes}u] = row_chunk${i};`
        return (i + 1) * lanes <= rowVectors ? put : `if (lane + ${i * lanes}u < ${rowVectors}u) { ${put} }`
      })
    : ''
  const right = (kk: number) =>
    all(rowBlocks, r => {
      const place = byColumns ? `${(kk * rowBlocks + r) * high * 2}u` : rowBlockAt('step', `${kk}u`, `${r}u`)
      return `let right${kk}_${r} = ${units.right(place, '2u')};`
    })
  const multiply = (kk: number) => `
    ${all(columnBlocks, c => `let left${kk}_${c} = ${units.left(`own + ${c * 16 * pitch + kk * 2}u`, `${pitch}u`)};`)}
    ${names.flatMap((line, c) => line.map((name, r) => `${name} = ${units.multiply(`left${kk}_${c}`, `right${kk}_${r}`, name)};`)).join('\n    ')}`
  const [worker, workers] = byColumns ? ['lane % 32u', 32] : ['lane', lanes]
  const items = Math.ceil((tileRows * results) / workers)
  const isPrepared = items <= (native ? mostPrepared : 1)
  const place = (suffix: string, item: string) =>
    `let row${suffix} = min((${item}) / ${results}u, tile_rows - 1u); let column${suffix} = (${item}) % ${results}u;`
  // The lanes' parts of the sums of squares, in flight beside the first weights; or the scale that is known.
  const rowOfLane = 'min(row_base + lane % tile_rows, padded - 1u)'
  const rounds = Math.ceil(extents.square_parts / extents.square_groups)
  const part = (i: number) => `lane / tile_rows + ${i * extents.square_groups}u`
  const squareOf = (i: number) =>
    (i + 1) * extents.square_groups <= extents.square_parts
      ? `squares[(${part(i)}) * padded + ${rowOfLane}]`
      : `select(0.0, squares[min(${part(i)}, ${squareParts} - 1u) * padded + ${rowOfLane}], ${part(i)} < ${squareParts})`
  const squaresBefore = isNormed
    ? `let used = squares[${squareParts} * padded + ${rowOfLane}];
  ${
    native
      ? `square_sums[lane] = ${each(rounds, squareOf).join(' + ')};`
      : `var squared = 0.0;
  for (var p = lane / tile_rows; p < ${squareParts}; p += ${squareGroups}) { squared += squares[p * padded + ${rowOfLane}]; }
  square_sums[lane] = squared;`
  }`
    : `let used = squares[${rowOfLane}];`
  const code = `
const tile_rows = ${tileRows}u;
const block_rows = ${high}u;
var<workgroup> tile: array<vec4u, ${Math.max(subgroups * staged, subgroups * sums)}>;
${byColumns ? `var<workgroup> row_tile: array<vec4u, ${rowVectors}>;` : ''}
var<workgroup> scales: array<f32, tile_rows>;
${isNormed ? `var<workgroup> square_sums: array<f32, ${lanes}>;` : ''}
var<private> sums_at: u32;
${units.declarations}
${blockIndexWgsl(high)}
fn sum_of(row: u32, column: u32) -> f32 {
  var sum = 0.0;
  let at = sums_at + ((column >> 4u) * ${rowBlocks}u + row / ${high}u) * ${block}u + (column & 15u) * ${high / 4}u + (row % ${high}u) / 4u;
  for (var s = 0u; s < ${known('sharers', sharers)}; s++) { sum += bitcast<vec4f>(tile[at + s * ${sums}u])[row & 3u]; }
  return sum;
}
fn scale_of(row: u32) -> f32 { return scales[row]; }
${of.functions ?? ''}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let index = workgroup_index(id);
  let row_block = index / params.column_groups * ${rowBlocks}u;
  if (row_block >= params.row_blocks) { return; }
  let row_base = row_block * ${high}u;
  let padded = ${rowBlocksHere} * ${high}u;
  let subgroup = ${units.subgroup};
  let column_tile = index % params.column_groups${byColumns ? ` * ${subgroups}u + subgroup` : ''};
  ${of.locate}
  let own = subgroup * ${staged}u;
  let lane_row = lane % 32u / ${wide}u;
  let lane_k = lane % ${wide}u;
  let first_at = (first + lane_row) * ${vectors};
  let second_at = (second + lane_row) * ${vectors};
  ${names
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join(' ')}
  ${each(chunks, i => `var chunk${i}: vec4u;`).join(' ')}
  ${byColumns ? each(rowChunks, i => `var row_chunk${i}: vec4u;`).join(' ') : ''}
  var step = ${byColumns ? '0u' : 'subgroup'};
  ${fetch('step')}
  ${fetchRows('step')}
  ${squaresBefore}
  ${isPrepared ? all(items, i => `${place(`_${i}`, `${worker} + ${i * workers}u`)} ${of.prepare(`_${i}`)}`) : ''}
  for (var turn = 0u; turn < ${turns}; turn++) {
    workgroupBarrier();
    ${isWhole ? '' : `let here = step * ${wide}u + lane_k < ${vectors};`}
    ${all(chunks, i => `tile[own + (${i * down}u + lane_row) * ${pitch}u + lane_k] = ${isWhole ? `chunk${i}` : `select(vec4u(), chunk${i}, here)`};`)}
    ${putRows}
    ${byColumns ? '' : all(depth / 16, right)}
    ${fetch(`(step + ${stepsOfTurn}u)`)}
    ${fetchRows(`(step + ${stepsOfTurn}u)`)}
    workgroupBarrier();
    ${all(depth / 16, kk => `${byColumns ? right(kk) : ''}${multiply(kk)}`)}
    step += ${stepsOfTurn}u;
  }
  workgroupBarrier();
  ${names.flatMap((line, c) => line.map((name, r) => `${units.store('tile', `subgroup * ${sums}u + ${(c * rowBlocks + r) * block}u`, high / 4, name)};`)).join('\n  ')}
  sums_at = ${byColumns ? `subgroup * ${sums}u` : '0u'};
  if (lane < tile_rows) {
    ${
      isNormed
        ? `var total = 0.0;
    for (var p = 0u; p < ${squareGroups}; p++) { total += square_sums[p * tile_rows + lane]; }
    let exact = inverseSqrt(total / f32(params.normed) + params.epsilon);
    scales[lane] = exact / used;
    if (index % params.column_groups == 0u && row_base + lane < padded) { exact_scales[row_base + lane] = exact; }`
        : 'scales[lane] = used;'
    }
  }
  workgroupBarrier();
  ${
    isPrepared
      ? all(items, i => {
          const body = of.finish(`_${i}`)
          return (i + 1) * workers <= tileRows * results
            ? `{ ${body} }`
            : `if (${worker} + ${i * workers}u < ${tileRows * results}u) { ${body} }`
        })
      : `for (var item = ${worker}; item < ${tileRows * results}u; item += ${workers}u) { ${place('_', 'item')} ${of.prepare('_')} ${of.finish('_')} }`
  }
  ${of.after ?? ''}
}`
  const own = Object.entries(of.buffers)
  const read = (element: string): BufferSpec => ({ element, access: 'read' })
  const u32 = 'u32' as const
  const specs: Record<string, BufferSpec> = { x: read('vec4u'), squares: read('f32') }
  if (norm) specs.exact_scales = { element: 'f32', access: 'write' }
  for (const [key, { element, access }] of own) specs[key] = { element, access }
  const types: Record<string, 'u32' | 'i32' | 'f32'> = {
    ...{ rows: u32, row_blocks: u32, column_groups: u32, normed: u32, epsilon: 'f32' },
    ...Object.fromEntries(Object.keys(extents).map(name => [name, u32])),
    ...of.types,
  }
  const columnGroups = columnTiles / (byColumns ? subgroups : 1)
  return {
    kernel: kernel({
      name: `${of.name}_${tileRows}x${columnBlocks * 16}_${subgroups}${byColumns ? 'c' : 'k'}${depth}`,
      enables: native ? units.enables : 'enable f16;',
      params: types,
      buffers: specs,
      code,
    }),
    params: {
      ...{ rows, row_blocks: allBlocks, column_groups: columnGroups },
      ...{ normed: norm?.size ?? 1, epsilon: norm?.epsilon ?? 0 },
      ...extents,
      ...of.params,
    },
    buffers: {
      x: of.x,
      squares,
      ...(norm && { exact_scales: norm.scales }),
      ...Object.fromEntries(own.map(([key, { tensor }]) => [key, tensor])),
    },
    grid: columnGroups * Math.ceil(allBlocks / rowBlocks),
  }
}

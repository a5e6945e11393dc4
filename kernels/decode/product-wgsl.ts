import type { BlocksWgsl } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import type { ProductLayout, StepProduct } from './product-tile.ts'
import { blockIndexWgsl } from './row-blocks.ts'

/** Results that a lane prepares before the sums; more than that it prepares one by one after them. */
const mostPrepared = 4

/**
 * The shader of `stepProduct`. Load: in a turn each subgroup puts its weights of a step into workgroup memory and asks for
 * the next. Multiply: blocks of weights by blocks of rows. Finish: a lane makes one result at a time.
 */
export function productWgsl(of: StepProduct, layout: ProductLayout, units: BlocksWgsl): string {
  const { subgroups, columnBlocks, byColumns, lanes, high, rowBlocks, tileRows, rowBlocksHere } = layout
  const { staged, block, sums, rowVectors, known } = layout
  const isNormed = of.norm !== undefined
  const names = unroll(columnBlocks, c => unroll(rowBlocks, r => `sums${c}_${r}`))
  const { before, scale } = scaleWgsl(of, layout)
  const { prepare, finish } = resultsWgsl(of, layout)
  const loop = of.tiled ? tiledLoop(layout, units, names) : stagedLoop(of, layout, units, names)
  const { start, turns } = loop
  return `
const tile_rows = ${tileRows}u;
const block_rows = ${high}u;
var<workgroup> tile: array<vec4u, ${subgroups * Math.max(of.tiled ? 0 : staged, sums)}>;
${byColumns ? `var<workgroup> row_tile: array<vec4u, ${rowVectors}>;` : ''}
var<workgroup> scales: array<f32, tile_rows>;
${isNormed ? `var<workgroup> square_sums: array<f32, ${lanes}>;` : ''}
var<private> sums_at: u32;
${units.declarations}
${blockIndexWgsl(high)}
fn sum_of(row: u32, column: u32) -> f32 {
  var sum = 0.0;
  let at = sums_at + ((column >> 4u) * ${rowBlocks}u + row / ${high}u) * ${block}u + (column & 15u) * ${high / 4}u + (row % ${high}u) / 4u;
  for (var s = 0u; s < ${known.sharers}; s++) { sum += bitcast<vec4f>(tile[at + s * ${sums}u])[row & 3u]; }
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
  ${names
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join(' ')}
  ${start}
  ${before}
  ${prepare}
  ${turns}
  workgroupBarrier();
  ${names.flatMap((line, c) => line.map((name, r) => `${units.store('tile', `subgroup * ${sums}u + ${(c * rowBlocks + r) * block}u`, high / 4, name)};`)).join('\n  ')}
  sums_at = ${byColumns ? `subgroup * ${sums}u` : '0u'};
  if (lane < tile_rows) {
    ${scale}
  }
  workgroupBarrier();
  ${finish}
  ${of.after ?? ''}
}`
}

/** The WGSL of the sums: what starts the first loads, and the loop, between which other loads may start. */
interface SumsWgsl {
  start: string
  turns: string
}

/** Weights go through workgroup memory: in a turn each subgroup brings those of a step, and asks for the next. */
function stagedLoop(
  of: StepProduct,
  layout: ProductLayout,
  units: BlocksWgsl,
  names: readonly string[][],
): SumsWgsl {
  const { columnBlocks, depth, byColumns, high, rowBlocks, wide, down, chunks, pitch, staged } = layout
  const { rowChunks, known, stepsOfTurn, isWhole } = layout
  const fetch = (step: string) => fetchWeights(of, layout, step)
  const { fetchRows, putRows } = rowsWgsl(layout)
  const right = (kk: number) =>
    all(rowBlocks, r => {
      const place = byColumns
        ? `${(kk * rowBlocks + r) * high * 2}u`
        : rowBlockAt(layout, 'step', `${kk}u`, `${r}u`)
      return `let right${kk}_${r} = ${units.right(place, '2u')};`
    })
  const multiply = (kk: number) => `
    ${all(columnBlocks, c => `let left${kk}_${c} = ${units.left(`own + ${c * 16 * pitch + kk * 2}u`, `${pitch}u`)};`)}
    ${names.flatMap((line, c) => line.map((name, r) => `${name} = ${units.multiply(`left${kk}_${c}`, `right${kk}_${r}`, name)};`)).join('\n    ')}`
  return {
    start: `let own = subgroup * ${staged}u;
  let lane_row = lane % 32u / ${wide}u;
  let lane_k = lane % ${wide}u;
  let first_at = (first + lane_row) * ${known.inner};
  let second_at = (second + lane_row) * ${known.inner};
  ${unroll(chunks, i => `var chunk${i}: vec4u;`).join(' ')}
  ${byColumns ? unroll(rowChunks, i => `var row_chunk${i}: vec4u;`).join(' ') : ''}
  var step = ${byColumns ? '0u' : 'subgroup'};
  ${fetch('step')}
  ${fetchRows('step')}`,
    turns: `for (var turn = 0u; turn < ${known.turns}; turn++) {
    workgroupBarrier();
    ${isWhole ? '' : `let here = step * ${wide}u + lane_k < ${known.inner};`}
    ${all(chunks, i => `tile[own + (${i * down}u + lane_row) * ${pitch}u + lane_k] = ${isWhole ? `chunk${i}` : `select(vec4u(), chunk${i}, here)`};`)}
    ${putRows}
    ${byColumns ? '' : all(depth / 16, right)}
    ${fetch(`(step + ${stepsOfTurn}u)`)}
    ${fetchRows(`(step + ${stepsOfTurn}u)`)}
    workgroupBarrier();
    ${all(depth / 16, kk => `${byColumns ? right(kk) : ''}${multiply(kk)}`)}
    step += ${stepsOfTurn}u;
  }`,
  }
}

/** Blocks of weights come from their tiles straight to the matrix units: those of a step are asked for during the step before. */
function tiledLoop(layout: ProductLayout, units: BlocksWgsl, names: readonly string[][]): SumsWgsl {
  const { columnBlocks, depth, byColumns, high, rowBlocks, rowChunks, known, stepsOfTurn } = layout
  const { fetchRows, putRows } = rowsWgsl(layout)
  const eachLeft = (line: (name: string, kk: number, c: number) => string) =>
    all(depth / 16, kk => unroll(columnBlocks, c => line(`left${kk}_${c}`, kk, c)).join(' '))
  const eachRight = (line: (name: string, kk: number, r: number) => string) =>
    byColumns ? '' : all(depth / 16, kk => unroll(rowBlocks, r => line(`right${kk}_${r}`, kk, r)).join(' '))
  const leftAt = (step: string, kk: number, c: number) =>
    units.left(`tiles_at + (${c}u * ${known.k_blocks} + ${step} * ${depth / 16}u + ${kk}u) * 32u`, '2u')
  const rightAt = (step: string, kk: number, r: number) =>
    units.right(rowBlockAt(layout, step, `${kk}u`, `${r}u`), '2u')
  const load = (how: (name: string) => string, step: string) => `
    ${eachLeft((name, kk, c) => `${how(name)} = ${leftAt(step, kk, c)};`)}
    ${eachRight((name, kk, r) => `${how(name)} = ${rightAt(step, kk, r)};`)}`
  const rowOf = (kk: number, r: number) =>
    byColumns ? units.right(`${(kk * rowBlocks + r) * high * 2}u`, '2u') : `right${kk}_${r}`
  const multiply = all(depth / 16, kk =>
    unroll(rowBlocks, r => [
      `{ let row = ${rowOf(kk, r)};`,
      ...names.map((line, c) => `${line[r]} = ${units.multiply(`left${kk}_${c}`, 'row', line[r])};`),
      '}',
    ])
      .flat()
      .join(' '),
  )
  const move = `${eachLeft(name => `${name} = next_${name};`)} ${eachRight(name => `${name} = next_${name};`)}`
  return {
    start: `let tiles_at = column_tile * ${columnBlocks}u * ${known.k_blocks} * 32u;
  ${byColumns ? unroll(rowChunks, i => `var row_chunk${i}: vec4u;`).join(' ') : ''}
  var step = ${byColumns ? '0u' : 'subgroup'};
  let first_step = min(step, ${known.steps} - 1u);
  ${load(name => `var ${name}`, 'first_step')}
  ${fetchRows('step')}`,
    turns: `for (; step < ${known.steps}; step += ${stepsOfTurn}u) {
    let next_step = min(step + ${stepsOfTurn}u, ${known.steps} - 1u);
    ${byColumns ? `workgroupBarrier();\n${putRows}\n${fetchRows('next_step')}` : ''}
    ${load(name => `let next_${name}`, 'next_step')}
    ${byColumns ? 'workgroupBarrier();' : ''}
    ${multiply}
    ${move}
  }`,
  }
}

const all = (count: number, line: (i: number) => string): string => unroll(count, line).join('\n    ')

/** Load: a subgroup's weights of a step, from memory into `chunk0` and so on. */
function fetchWeights({ weights, weightRows }: StepProduct, layout: ProductLayout, step: string): string {
  const { wide, down, chunks, known } = layout
  const at = (half: string, i: number) =>
    weightRows === undefined
      ? `${half}_at + ${i * down}u * ${known.inner} + k_at`
      : `min(${half} + ${i * down}u + lane_row, ${weightRows - 1}u) * ${known.inner} + k_at`
  const parts = weights.map(([a, b]) =>
    all(chunks, i =>
      i < chunks / 2
        ? `chunk${i} = ${a}[${at('first', i)}];`
        : `chunk${i} = ${b}[${at('second', i - chunks / 2)}];`,
    ),
  )
  return `{
    let k_at = min(${step} * ${wide}u + lane_k, ${known.inner} - 1u);
    ${parts.map((code, i) => (i + 1 < parts.length ? `if (part == ${i}u) { ${code} } else` : `{ ${code} }`)).join(' ')}
    }`
}

// Where a block of rows lies in `x`.
const rowBlockAt = (
  { depth, high, known, rowBlocksHere }: ProductLayout,
  step: string,
  kk: string,
  r: string,
) =>
  `(min(${step} * ${depth / 16}u + ${kk}, ${known.k_blocks} - 1u) * ${rowBlocksHere} + min(row_block + ${r}, ${rowBlocksHere} - 1u)) * ${high * 2}u`

/** Where subgroups divide the columns, a step's rows go through workgroup memory, block after block as in memory. */
function rowsWgsl(layout: ProductLayout): { fetchRows(step: string): string; putRows: string } {
  const { byColumns, lanes, high, rowBlocks, rowVectors, rowChunks } = layout
  if (!byColumns) return { fetchRows: () => '', putRows: '' }
  const fetchRows = (step: string) =>
    all(rowChunks, i => {
      const vector = `(lane + ${i * lanes}u)`
      const k = `${vector} / ${rowBlocks * high * 2}u`
      const place = rowBlockAt(layout, step, k, `${vector} / ${high * 2}u % ${rowBlocks}u`)
      return `row_chunk${i} = x[${place} + ${vector} % ${high * 2}u];`
    })
  const putRows = all(rowChunks, i => {
    const put = `row_tile[lane + ${i * lanes}u] = row_chunk${i};`
    return (i + 1) * lanes <= rowVectors ? put : `if (lane + ${i * lanes}u < ${rowVectors}u) { ${put} }`
  })
  return { fetchRows, putRows }
}

/** The scale of a row: before the sums, what is loaded for it, in flight together with the first weights; then its value. */
function scaleWgsl({ norm }: StepProduct, layout: ProductLayout): { before: string; scale: string } {
  const rowOfLane = 'min(row_base + lane % tile_rows, padded - 1u)'
  if (!norm) return { before: `let used = squares[${rowOfLane}];`, scale: 'scales[lane] = used;' }
  const { native, known, extents } = layout
  const rounds = Math.ceil(extents.square_parts / extents.square_groups)
  const part = (i: number) => `lane / tile_rows + ${i * extents.square_groups}u`
  const squareOf = (i: number) =>
    (i + 1) * extents.square_groups <= extents.square_parts
      ? `squares[(${part(i)}) * padded + ${rowOfLane}]`
      : `select(0.0, squares[min(${part(i)}, ${known.square_parts} - 1u) * padded + ${rowOfLane}], ${part(i)} < ${known.square_parts})`
  const summed = native
    ? `square_sums[lane] = ${unroll(rounds, squareOf).join(' + ')};`
    : `var squared = 0.0;
  for (var p = lane / tile_rows; p < ${known.square_parts}; p += ${known.square_groups}) { squared += squares[p * padded + ${rowOfLane}]; }
  square_sums[lane] = squared;`
  return {
    before: `let used = squares[${known.square_parts} * padded + ${rowOfLane}];
  ${summed}`,
    scale: `var total = 0.0;
    for (var p = 0u; p < ${known.square_groups}; p++) { total += square_sums[p * tile_rows + lane]; }
    let exact = inverseSqrt(total / f32(params.normed) + params.epsilon);
    scales[lane] = exact / used;
    if (index % params.column_groups == 0u && row_base + lane < padded) { exact_scales[row_base + lane] = exact; }`,
  }
}

/** Finish: the results of a lane. Where they are few, their loads are made before the sums. */
function resultsWgsl(of: StepProduct, layout: ProductLayout): { prepare: string; finish: string } {
  const { results } = of
  const { byColumns, native, lanes, tileRows } = layout
  const [worker, workers] = byColumns ? ['lane % 32u', 32] : ['lane', lanes]
  const items = Math.ceil((tileRows * results) / workers)
  const place = (suffix: string, item: string) =>
    `let row${suffix} = min((${item}) / ${results}u, tile_rows - 1u); let column${suffix} = (${item}) % ${results}u;`
  if (items > (native ? mostPrepared : 1)) {
    const one = `${place('_', 'item')} ${of.prepare('_')} ${of.finish('_')}`
    const finish = `for (var item = ${worker}; item < ${tileRows * results}u; item += ${workers}u) { ${one} }`
    return { prepare: '', finish }
  }
  return {
    prepare: all(items, i => `${place(`_${i}`, `${worker} + ${i * workers}u`)} ${of.prepare(`_${i}`)}`),
    finish: all(items, i => {
      const body = of.finish(`_${i}`)
      return (i + 1) * workers <= tileRows * results
        ? `{ ${body} }`
        : `if (${worker} + ${i * workers}u < ${tileRows * results}u) { ${body} }`
    }),
  }
}

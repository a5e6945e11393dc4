import { matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import { factorBindings, productCall, type Recorded } from './product-call.ts'
import { callOfEnds, resultsWgsl, scaleDeclarations, scaleWgsl } from './product-ends.ts'
import { checkLanes, knownSizes, type On, rowSizes, type StepProduct, type TileOfK } from './product-tile.ts'
import { blockIndexWgsl } from './row-blocks.ts'

// A product of a decode step whose subgroups divide k: each loads blocks of weights and rows straight from memory, those of its
// next step while it multiplies those of this one; their sums meet in workgroup memory, where lanes finish the results.

/** The kernel and its call. */
export function productByK(of: On<StepProduct>, tile: TileOfK): Recorded {
  const { target, rows, inner, columnTiles } = of
  const { subgroups, columnBlocks, depth } = tile
  if (inner % depth !== 0)
    throw new Error(`${of.name}: ${inner} k of weights in tiles must be a multiple of the depth ${depth}`)
  const sizes = rowSizes(rows)
  checkLanes(of, sizes)
  const { high, allBlocks, rowBlocks, tileRows } = sizes
  const lanes = subgroups * 32
  const known = knownSizes(target, { k_blocks: inner / 16, sharers: subgroups })
  const units = matrixBlocks(target.units, {
    left: [{ array: 'weight_tiles', fast: 'k' }],
    right: [{ array: 'x', fast: 'k' }],
    width: high,
    tiles: ['tile'],
  })
  const block = high * 4 // vectors of a block of sums
  const sums = columnBlocks * rowBlocks * block
  const names = unroll(columnBlocks, c => unroll(rowBlocks, r => `sums${c}_${r}`))
  const rowBlocksHere = target.units === 'native' && allBlocks === 1 ? '1u' : 'params.row_blocks'
  const { start, turns } = loopWgsl({
    ...{ tile, inner, known: known.wgsl, units, names, rowBlocks, high, rowBlocksHere },
  })
  const { before, square, scale } = scaleWgsl(of, { ...sizes, lanes }, 'index % params.column_groups == 0u')
  const { prepare, finish } = resultsWgsl(of, tileRows, ['lane', lanes])
  const code = `
const tile_rows = ${tileRows}u;
const block_rows = ${high}u;
var<workgroup> tile: array<vec4u, ${subgroups * sums}>;
${units.declarations}
${blockIndexWgsl(high)}
${scaleDeclarations(of, { ...sizes, lanes })}
fn sum_of(row: u32, column: u32) -> f32 {
  var sum = 0.0;
  let at = ((column >> 4u) * ${rowBlocks}u + row / ${high}u) * ${block}u + (column & 15u) * ${high / 4}u + (row % ${high}u) / 4u;
  for (var s = 0u; s < ${known.wgsl.sharers}; s++) { sum += bitcast<vec4f>(tile[at + s * ${sums}u])[row & 3u]; }
  return sum;
}
${of.functions ?? ''}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let index = workgroup_index(id);
  let row_block = index / params.column_groups * ${rowBlocks}u;
  if (row_block >= params.row_blocks) { return; }
  let row_base = row_block * ${high}u;
  let padded = ${rowBlocksHere} * ${high}u;
  let subgroup = ${units.subgroup};
  let column_tile = index % params.column_groups;
  ${of.locate}
  ${names
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join(' ')}
  ${start}
  ${before}
  ${prepare}
  ${turns}
  ${square}
  ${names.flatMap((line, c) => line.map((name, r) => `${units.store('tile', `subgroup * ${sums}u + ${(c * rowBlocks + r) * block}u`, high / 4, name)};`)).join('\n  ')}
  workgroupBarrier();
  if (lane < tile_rows) {
    ${scale}
  }
  workgroupBarrier();
  ${finish}
  ${of.after ?? ''}
}`
  return productCall(of, {
    name: `${of.name}_${tileRows}x${columnBlocks * 16}_${subgroups}k${depth}_${inner}`,
    enables: units.enables,
    code,
    known,
    rowBlocks: allBlocks,
    columnGroups: columnTiles,
    grid: columnTiles * Math.ceil(allBlocks / rowBlocks),
    buffers: factorBindings(of),
    ends: callOfEnds(of),
  })
}

interface Loop {
  tile: TileOfK
  inner: number
  known: Readonly<Record<'k_blocks', string>>
  units: ReturnType<typeof matrixBlocks>
  /** The sums by block of columns and block of rows. */
  names: readonly (readonly string[])[]
  rowBlocks: number
  high: number
  rowBlocksHere: string
}

/**
 * What starts the first loads, and the turns, of which each multiplies a step. Two sets of blocks are loaded by turns: moving
 * one to the other would wait for it. The last turn has no step for some of the subgroups if they do not divide the steps.
 */
function loopWgsl({ tile, inner, known, units, names, rowBlocks, high, rowBlocksHere }: Loop) {
  const { subgroups, columnBlocks, depth } = tile
  const steps = inner / depth
  const turns = Math.ceil(steps / subgroups)
  const isWhole = steps % subgroups === 0
  const all = (line: (name: string, kk: number, i: number) => string, what: 'left' | 'right') =>
    unroll(depth / 16, kk =>
      unroll(what === 'left' ? columnBlocks : rowBlocks, i => line(`${what}${kk}_${i}`, kk, i)).join(' '),
    ).join('\n    ')
  const load = (set: string, turn: string, how = '') => {
    const step = isWhole
      ? `(${turn} * ${subgroups}u + subgroup)`
      : `min(${turn} * ${subgroups}u + subgroup, ${steps - 1}u)`
    const left = (kk: number, c: number) =>
      units.left(`tiles_at + (${c}u * ${known.k_blocks} + ${step} * ${depth / 16}u + ${kk}u) * 32u`, '2u')
    const right = (kk: number, r: number) =>
      units.right(
        `((${step} * ${depth / 16}u + ${kk}u) * ${rowBlocksHere} + min(row_block + ${r}u, ${rowBlocksHere} - 1u)) * ${high * 2}u`,
        '2u',
      )
    return `
    ${all((name, kk, c) => `${how}${set}_${name} = ${left(kk, c)};`, 'left')}
    ${all((name, kk, r) => `${how}${set}_${name} = ${right(kk, r)};`, 'right')}`
  }
  const multiply = (set: string) =>
    unroll(depth / 16, kk =>
      names
        .flatMap((line, c) =>
          line.map(
            (sum, r) => `${sum} = ${units.multiply(`${set}_left${kk}_${c}`, `${set}_right${kk}_${r}`, sum)};`,
          ),
        )
        .join(' '),
    ).join('\n    ')
  const last = (set: string) =>
    isWhole ? multiply(set) : `if (subgroup < ${steps - (turns - 1) * subgroups}u) { ${multiply(set)} }`
  const pairs = Math.floor((turns - 1) / 2)
  const declared = (['left', 'right'] as const).map(what =>
    all(name => `var odd_${name}: ${what === 'left' ? 'Left' : 'Right'};`, what),
  )
  return {
    start: `let tiles_at = column_tile * ${columnBlocks}u * ${known.k_blocks} * 32u;
  ${load('even', '0u', 'var ')}
  ${turns > 1 ? declared.join(' ') : ''}`,
    turns: `${
      pairs > 0
        ? `for (var turn = 0u; turn < ${2 * pairs}u; turn += 2u) {
    ${load('odd', '(turn + 1u)')}
    ${multiply('even')}
    ${load('even', '(turn + 2u)')}
    ${multiply('odd')}
  }`
        : ''
    }
  ${
    turns % 2 === 1
      ? last('even')
      : `${load('odd', `${turns - 1}u`)}
    ${multiply('even')}
    ${last('odd')}`
  }`,
  }
}

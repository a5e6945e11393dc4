import { type KernelKey, kernel, type Target } from '../device/kernel.ts'
import { type BlocksWgsl, matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { unroll, withConstants } from '../wgsl/text.ts'
import { chunkWgsl } from './chunks.ts'
import { finishStripWgsl, unitBuffers, writeWgsl } from './units-finish.ts'
import { columnsOf, layoutOf, rowsOf, type UnitLayout, type UnitTile } from './units-layout.ts'
import { enablesOf, locate, nameOf, params, type Tiling, type Variant } from './variant.ts'

// Products on matrix units. A workgroup makes a tile of the result, in steps of `depth` k:
//
//              depth k                tileColumns              tileColumns
//            ┌─────────┐             ┌────┬────┐              ┌────┬────┐
//            │    a    │    depth k  │    b    │              │ s0 │ s2 │   Each subgroup s makes rowBlocks × columnBlocks
//   tileRows ├─────────┤             └────┴────┘              ├────┼────┤   blocks of 16 × 16, which stay in registers.
//            │         │                                      │ s1 │ s3 │
//            └─────────┘                                      └────┴────┘
//
//   load      both parts travel to workgroup memory by way of registers, where they become float16; those of the next
//             step are asked for before these are multiplied, so that memory and units work at the same time
//   multiply  each subgroup multiplies its blocks of a by its blocks of b. With `parts` 2 there are two sets of
//             subgroups, each for half of the k
//   finish    sums go through workgroup memory, a strip of 16 rows of each subgroup at a time, since lanes cannot read
//             single elements of a block; there scale, bias, residual and activation are applied
//
// Factors are rounded to float16 (what exceeds its range becomes the largest float16), sums are float32. The reference is
// `matmulReference`. table.ts says which tile is used when, and what was measured.

const vectorHalves = 8

/** The kernel of a product on matrix units; `key` names it and everything that its WGSL depends on. */
export function matmulUnits(key: KernelKey, target: Target, variant: Variant, tile: UnitTile): Tiling {
  const [tileRows, tileColumns] = [rowsOf(tile), columnsOf(tile)]
  const { depth, parts = 1 } = tile
  const define = () => {
    const layout = layoutOf(variant, tile)
    const { fastA, fastB } = layout
    const units = matrixBlocks(target.units, {
      left: [{ array: 'tile', fast: fastA }],
      right: [{ array: 'tile', fast: fastB }],
      tiles: ['tile'],
    })
    return {
      name: `${nameOf('units', variant)}_${tileRows}x${tileColumns}x${depth}${parts > 1 ? `by${parts}` : ''}${tile.isOver ? '_over' : ''}`,
      enables: target.units === 'native' ? units.enables : enablesOf(variant),
      params,
      buffers: unitBuffers(variant),
      code: withConstants(unitsWgsl(units, variant, layout), variant.fixed),
    }
  }
  return { tileRows, tileColumns, kernel: kernel(key, define) }
}

function unitsWgsl(units: BlocksWgsl, variant: Variant, layout: UnitLayout): string {
  const { tileRows, tileColumns, lanes, vectors, depth, rowBlocks, sums, sideA, sideB, a, b } = layout
  return `
var<workgroup> tile: array<vec4u, ${vectors}>;
${units.declarations}
${chunkWgsl(sideA, 'a', variant.counted)}
${chunkWgsl(sideB, variant.oneTensor ? 'a' : 'b')}
${writeWgsl(variant)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${locate(tileRows, tileColumns, layout.band, variant.isInside)}
  ${blocksWgsl(units, layout)}
  ${sums
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join('\n  ')}
  ${a.declare}
  ${b.declare}
  var a_at = a_start;
  var b_at = b_start;
  var k = 0u;
  var k_now = 0u;
  let steps = (inner + ${depth - 1}u) / ${depth}u * params.repeats;
  ${layout.isOver ? stepsOver(units, layout) : stepsApart(units, layout)}
  ${unroll(rowBlocks, i => finishStripWgsl(units, variant, layout, i)).join('\n')}
}`
}

/** Load, then multiply: the parts of the next step are asked for first, and come while the units multiply. */
const stepsApart = (units: BlocksWgsl, layout: UnitLayout): string => `
  ${fetchWgsl(layout)}
  for (var step = 0u; step < steps; step++) {
    workgroupBarrier();
    ${putWgsl(layout)}
    workgroupBarrier();
    ${advanceWgsl(layout, 'step + 1u')}
    ${fetchWgsl(layout)}
    ${multiplyWgsl(units, layout)}
  }`

/**
 * As soon as all blocks of a step are in registers, the parts of the next one may come to workgroup memory, and those of the
 * step after it are asked for, while the units multiply the last blocks.
 */
const stepsOver = (units: BlocksWgsl, layout: UnitLayout): string => {
  const { early, last } = blocksFirst(units, layout)
  return `
  ${fetchWgsl(layout)}
  ${putWgsl(layout)}
  ${advanceWgsl(layout, '1u')}
  ${fetchWgsl(layout)}
  workgroupBarrier();
  for (var step = 0u; step < steps; step++) {
    ${early}
    ${units.keepsBlocks ? '' : last}
    workgroupBarrier();
    ${putWgsl(layout)}
    ${advanceWgsl(layout, 'step + 2u')}
    ${fetchWgsl(layout)}
    ${units.keepsBlocks ? last : ''}
    workgroupBarrier();
  }`
}

const fetchWgsl = ({ a, b }: UnitLayout): string => `${a.fetch}\n    ${b.fetch}`
const putWgsl = ({ a, b }: UnitLayout): string => `${a.put}\n    ${b.put}`

/** WGSL: goes on to the step after, unless that is none. */
const advanceWgsl = ({ depth, isExact }: UnitLayout, next: string): string => `if (${next} < steps) {
      k += ${depth}u;
      if (k >= inner) {
        k = 0u;
        a_at += params.a_repeat;
        b_at += params.b_repeat;
      }
      k_now = ${isExact ? 'k' : `min(k, max(inner, ${depth}u) - ${depth}u)`};
    }`

/** Where a subgroup's first block of each factor begins, and where its strip of results goes. */
function blocksWgsl(units: BlocksWgsl, layout: UnitLayout): string {
  const { fastA, fastB, a, b, subgroups, rowSubgroups, rowBlocks, columnBlocks, kOfPart } = layout
  const { stripVectors, stripPitch } = layout
  const start = (fast: 'k' | 'index', pitch: number, which: string, blocks: number) =>
    `${which} * ${blocks * 16 * (fast === 'k' ? pitch : 1 / vectorHalves)}u + part * ${kOfPart * 16 * (fast === 'k' ? 1 / vectorHalves : pitch)}u`
  return `let part = ${units.subgroup} / ${subgroups}u;
  let subgroup = ${units.subgroup} % ${subgroups}u;
  let a_block = ${start(fastA, a.pitch, `subgroup % ${rowSubgroups}u`, rowBlocks)};
  let b_block = ${a.vectors}u + ${start(fastB, b.pitch, `subgroup / ${rowSubgroups}u`, columnBlocks)};
  let strip_block = part * ${stripVectors}u + subgroup % ${rowSubgroups}u * ${16 * stripPitch}u + subgroup / ${rowSubgroups}u * ${columnBlocks * 4}u;`
}

/** Multiply: for each 16 k, all blocks of a, then one block of b after the other, which serves all of them. */
function multiplyWgsl(units: BlocksWgsl, layout: UnitLayout): string {
  const { rowBlocks, columnBlocks, kOfPart, sums } = layout
  const { left, right } = blockLoads(units, layout)
  const multiply = (j: number) => (i: number) =>
    `${sums[i][j]} = ${units.multiply(`left${i}`, 'right', sums[i][j])};`
  const column = (k: number) => (j: number) =>
    `{ let right = ${right(k, j)}; ${unroll(rowBlocks, multiply(j)).join(' ')} }`
  return unroll(
    kOfPart,
    k => `{
      ${unroll(rowBlocks, i => `let left${i} = ${left(k, i)};`).join('\n      ')}
      ${unroll(columnBlocks, column(k)).join('\n      ')}
    }`,
  ).join('\n    ')
}

/** The same in two parts: `early` loads all blocks, each 16 k before the products of the 16 k before it; `last` are the products of the last 16 k. */
function blocksFirst(units: BlocksWgsl, layout: UnitLayout): { early: string; last: string } {
  const { rowBlocks, columnBlocks, kOfPart, sums } = layout
  const { left, right } = blockLoads(units, layout)
  const load = (k: number) =>
    [
      ...unroll(rowBlocks, i => `let left${k}_${i} = ${left(k, i)};`),
      ...unroll(columnBlocks, j => `let right${k}_${j} = ${right(k, j)};`),
    ].join('\n    ')
  const multiply = (k: number) =>
    unroll(columnBlocks, j =>
      unroll(
        rowBlocks,
        i => `${sums[i][j]} = ${units.multiply(`left${k}_${i}`, `right${k}_${j}`, sums[i][j])};`,
      ).join(' '),
    ).join('\n    ')
  const early = unroll(kOfPart, k => `${load(k)}\n    ${k > 0 ? multiply(k - 1) : ''}`).join('\n    ')
  return { early, last: multiply(kOfPart - 1) }
}

/** Expressions: block `i` of a, and block `j` of b, at the part's 16 k `k`. */
function blockLoads(units: BlocksWgsl, { fastA, fastB, a, b }: UnitLayout) {
  const offset = (fast: 'k' | 'index', pitch: number, block: number, k: number) =>
    fast === 'k' ? block * 16 * pitch + (k * 16) / vectorHalves : (block * 16) / vectorHalves + k * 16 * pitch
  return {
    left: (k: number, i: number) => units.left(`a_block + ${offset(fastA, a.pitch, i, k)}u`, `${a.pitch}u`),
    right: (k: number, j: number) => units.right(`b_block + ${offset(fastB, b.pitch, j, k)}u`, `${b.pitch}u`),
  }
}

import type { Tensor } from '../device/tensor.ts'
import { matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import { factorBindings, productCall, type Recorded } from './product-call.ts'
import { callOfEnds, resultsWgsl, scaleDeclarations, scaleWgsl } from './product-ends.ts'
import {
  checkLanes,
  knownSizes,
  type On,
  rowSizes,
  type StepProduct,
  type StepSums,
  type TileOfColumns,
} from './product-tile.ts'
import { blockIndexWgsl } from './row-blocks.ts'

// A product of a decode step whose subgroups divide the columns, for many rows. Rows go through workgroup memory, read once for
// all subgroups; blocks of weights come straight from memory, those of the next steps while these are multiplied.
//
//                       k
//              ┌──────────┬──────────┐                        ┌──────────┐
//   16 columns │ s0       │          │ weights        times   │ rows     │  rowDepth of k at a time
//              ├──────────┤ another  │                        │          │
//   16 columns │ s1       │ workgroup│                        └──────────┘
//              └──────────┴──────────┘
//                 splits = 2
//
// Matrices of few columns give too few workgroups to keep memory busy: then workgroups divide k too, each writes its sums as
// they are, and split-sums.ts adds them up.

/** The kernel and its call. */
export const productByColumns = (of: On<StepProduct>, tile: TileOfColumns): Recorded =>
  write(of, tile, { product: of })

/** The same, but it only writes the sums of each part of k into `parts` (splits, rows in blocks, columns by tile). */
export const partsByColumns = (of: On<StepSums>, tile: TileOfColumns, parts: Tensor): Recorded =>
  write(of, tile, { parts })

/** Where sums go: to the ends of their product, or into memory. */
type Sink = { product: On<StepProduct>; parts?: undefined } | { product?: undefined; parts: Tensor }

function write(of: On<StepSums>, tile: TileOfColumns, { product, parts }: Sink): Recorded {
  const { target, rows, inner, columnTiles } = of
  const { subgroups, columnBlocks, depth, rowDepth, splits } = tile
  if (columnTiles % (subgroups * columnBlocks) !== 0)
    throw new Error(
      `${of.name}: ${columnTiles} tiles of columns do not divide by ${subgroups} subgroups of ${columnBlocks}`,
    )
  if (inner % rowDepth !== 0 || rowDepth % depth !== 0)
    throw new Error(`${of.name}: ${inner} k do not divide by ${rowDepth}, or that by ${depth}`)
  const sizes = rowSizes(rows)
  const { high, allBlocks, rowBlocks, tileRows } = sizes
  const lanes = subgroups * 32
  if (!parts) checkLanes(of, sizes)
  const columnGroups = columnTiles / (subgroups * columnBlocks)
  const known = knownSizes(target, { k_blocks: inner / 16 })
  const units = matrixBlocks(target.units, {
    left: [{ array: 'weight_tiles', fast: 'k' }],
    right: [{ array: 'shared_rows', fast: 'k' }],
    width: high,
    tiles: parts ? [] : ['shared_rows'],
    outputs: parts ? ['parts'] : [],
  })
  const block = high * 4 // vectors of a block of sums
  const sums = rowBlocks * block
  const names = unroll(columnBlocks, c => unroll(rowBlocks, r => `sums${c}_${r}`))
  const staging = tileRows * pitchOf(tile)
  const ends = product && endsWgsl(product, { ...sizes, lanes, names, sums, units })
  const code = `
const tile_rows = ${tileRows}u;
const block_rows = ${high}u;
var<workgroup> shared_rows: array<vec4u, ${Math.max(staging, parts ? 0 : subgroups * sums)}>;
${units.declarations}
${ends?.declarations ?? ''}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  let index = workgroup_index(id);
  let split = index / params.column_groups % ${splits}u;
  let row_block = index / params.column_groups / ${splits}u * ${rowBlocks}u;
  if (row_block >= params.row_blocks) { return; }
  let row_base = row_block * ${high}u;
  let padded = params.row_blocks * ${high}u;
  let subgroup = ${units.subgroup};
  let first_tile = (index % params.column_groups * ${subgroups}u + subgroup) * ${columnBlocks}u;
  ${names
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join(' ')}
  ${loopWgsl({ tile, inner, known: known.wgsl, units, names, high, rowBlocks, before: ends?.before ?? '' })}
  ${
    ends?.finish ??
    names
      .flatMap((line, c) =>
        line.map((name, r) => {
          const row = `split * padded + row_base + ${r * high}u`
          const guard = r === 0 ? '' : `if (row_block + ${r}u < params.row_blocks) `
          return `${guard}{ ${units.store('parts', `(${row}) * ${columnTiles * 16}u + (first_tile + ${c}u) * 16u`, columnTiles * 16, name, 'columns')}; }`
        }),
      )
      .join('\n  ')
  }
}`
  return productCall(of, {
    name: `${of.name}${parts ? '_parts' : ''}_${tileRows}x${columnBlocks * 16}_${subgroups}c${depth}_${rowDepth}_${inner}${parts ? `_${splits}` : ''}`,
    enables: units.enables,
    code,
    known,
    rowBlocks: allBlocks,
    columnGroups,
    grid: columnGroups * splits * Math.ceil(allBlocks / rowBlocks),
    buffers: {
      ...factorBindings(of),
      ...(parts && { parts: { element: 'f32', access: 'write', tensor: parts } }),
    },
    ends: product && callOfEnds(product),
  })
}

/** Vectors from row to row in workgroup memory: one more, against bank conflicts. */
const pitchOf = ({ rowDepth }: TileOfColumns): number => rowDepth / 8 + 1

interface Loop {
  tile: TileOfColumns
  inner: number
  known: Readonly<Record<'k_blocks', string>>
  units: ReturnType<typeof matrixBlocks>
  /** The sums by block of columns and block of rows. */
  names: readonly (readonly string[])[]
  high: number
  rowBlocks: number
  /** Other loads, made after the first ones of this. */
  before: string
}

function loopWgsl({ tile, inner, known, units, names, high, rowBlocks, before }: Loop): string {
  const { subgroups, columnBlocks, depth, rowDepth, splits } = tile
  const [lanes, pitch] = [subgroups * 32, pitchOf(tile)]
  const [ahead, batches] = [depth / 16, rowDepth / depth]
  const vectors = (rowDepth / 16) * rowBlocks * high * 2
  const chunks = unroll(Math.ceil(vectors / lanes), i => `(lane + ${i * lanes}u)`)
  const isWhole = vectors % lanes === 0
  const fetch = (step: string) =>
    chunks
      .map((vector, i) => {
        const k = `min(${step} * ${rowDepth / 16}u + ${vector} / ${rowBlocks * high * 2}u, ${known.k_blocks} - 1u)`
        const rows = `min(row_block + ${vector} / ${high * 2}u % ${rowBlocks}u, params.row_blocks - 1u)`
        return `chunk${i} = x[(${k} * params.row_blocks + ${rows}) * ${high * 2}u + ${vector} % ${high * 2}u];`
      })
      .join('\n    ')
  // In the order of memory: block of 16 k, row, half of the block.
  const put = chunks
    .map((vector, i) => {
      const row = `${vector} / 2u % ${rowBlocks * high}u`
      const place = `${row} * ${pitch}u + ${vector} / ${rowBlocks * high * 2}u * 2u + ${vector} % 2u`
      const line = `shared_rows[${place}] = chunk${i};`
      return isWhole || (i + 1) * lanes <= vectors ? line : `if (${vector} < ${vectors}u) { ${line} }`
    })
    .join('\n    ')
  const eachLeft = (line: (at: string, kk: number, c: number) => string) =>
    unroll(ahead, kk => unroll(columnBlocks, c => line(`${kk}_${c}`, kk, c)).join(' ')).join('\n    ')
  const load = (how: string, block: string) =>
    eachLeft(
      (at, kk, c) =>
        `${how}${at} = ${units.left(`tiles_at + (${c}u * ${known.k_blocks} + ${block} + ${kk}u) * 32u`, '2u')};`,
    )
  const multiply = (set: string, batch: number) =>
    unroll(ahead, kk => {
      const right = (r: number) => units.right(`${r * high * pitch + (batch * ahead + kk) * 2}u`, `${pitch}u`)
      const rows = unroll(rowBlocks, r => `let row${r} = ${right(r)};`)
      const products = names.flatMap((line, c) =>
        line.map((sum, r) => `${sum} = ${units.multiply(`${set}${kk}_${c}`, `row${r}`, sum)};`),
      )
      return `{ ${[...rows, ...products].join(' ')} }`
    }).join('\n    ')
  // Two sets of blocks are loaded by turns; with an odd number of batches rows take turns as well.
  const isEven = batches % 2 === 0
  const rowStep = (step: string, isOdd: boolean) => {
    const turns = unroll(batches, batch => {
      const [here, next] = (batch % 2 === 1) !== isOdd ? ['odd', 'even'] : ['even', 'odd']
      const block = `min(${step} * ${rowDepth / 16}u + ${(batch + 1) * ahead}u, last_block)`
      return `${load(next, block)}
    ${multiply(here, batch)}`
    })
    return `workgroupBarrier();
    ${put}
    workgroupBarrier();
    ${fetch(`(${step} + 1u)`)}
    ${turns.join('\n    ')}`
  }
  const steps = inner / rowDepth
  const isUniform = steps % splits === 0
  const count = isUniform ? `${steps / splits}u` : `((split + 1u) * ${steps}u / ${splits}u - first_step)`
  const loop = isEven
    ? `for (var i = 0u; i < ${count}; i++) {
    let step = first_step + i;
    ${rowStep('step', false)}
  }`
    : `for (var i = 0u; i + 1u < ${count}; i += 2u) {
    let step = first_step + i;
    ${rowStep('step', false)}
    ${rowStep('(step + 1u)', true)}
  }
  ${isUniform && (steps / splits) % 2 === 0 ? '' : `if (${count} % 2u == 1u) { let step = first_step + ${count} - 1u; ${rowStep('step', false)} }`}`
  return `let tiles_at = first_tile * ${known.k_blocks} * 32u;
  let first_step = ${isUniform ? `split * ${steps / splits}u` : `split * ${steps}u / ${splits}u`};
  let last_block = (first_step + ${count}) * ${rowDepth / 16}u - ${ahead}u;
  ${chunks.map((_, i) => `var chunk${i}: vec4u;`).join(' ')}
  ${eachLeft(at => `var even${at}: Left; var odd${at}: Left;`)}
  ${fetch('first_step')}
  ${load('even', `first_step * ${rowDepth / 16}u`)}
  ${before}
  ${loop}`
}

interface Ends extends ReturnType<typeof rowSizes> {
  lanes: number
  names: readonly (readonly string[])[]
  /** Vectors of the sums of one block of columns. */
  sums: number
  units: ReturnType<typeof matrixBlocks>
}

/** The results of a subgroup's tiles, one after another, each by the lanes of its subgroup. */
function endsWgsl(of: On<StepProduct>, sizes: Ends) {
  const { names, sums, units, high, tileRows } = sizes
  const block = high * 4
  const { before, square, scale } = scaleWgsl(of, sizes, 'index % params.column_groups == 0u')
  const { prepare, finish } = resultsWgsl(of, tileRows, ['lane % 32u', 32])
  const ofTile = names.map(
    (line, c) => `{
    workgroupBarrier();
    ${line.map((name, r) => `${units.store('shared_rows', `subgroup * ${sums}u + ${r * block}u`, high / 4, name)};`).join(' ')}
    ${
      c === 0
        ? `${square}
    workgroupBarrier();
    if (lane < tile_rows) { ${scale} }`
        : ''
    }
    workgroupBarrier();
    let column_tile = first_tile + ${c}u;
    ${of.locate}
    ${prepare}
    ${finish}
  }`,
  )
  return {
    declarations: `${blockIndexWgsl(high)}${scaleDeclarations(of, sizes)}
var<private> sums_at: u32;
fn sum_of(row: u32, column: u32) -> f32 {
  let at = sums_at + row / ${high}u * ${block}u + column * ${high / 4}u + (row % ${high}u) / 4u;
  return bitcast<vec4f>(shared_rows[at])[row & 3u];
}
${of.functions ?? ''}`,
    before,
    finish: `sums_at = subgroup * ${sums}u;
  ${ofTile.join('\n  ')}`,
  }
}

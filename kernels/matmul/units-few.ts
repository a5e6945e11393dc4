import { type BufferSpec, type KernelKey, kernel, type Target } from '../device/kernel.ts'
import { type BlocksWgsl, matrixBlocks } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import { chunkWgsl, type Side } from './chunks.ts'
import {
  buffers,
  enablesOf,
  finishWgsl,
  locate,
  nameOf,
  params,
  type Tiling,
  type Variant,
} from './variant.ts'

// `nt` products of at most 64 rows on matrix units. Each number of b, float16 weights, is used only a few times, so the time is that
// of reading b: blocks of it go straight from memory to the units, each once. The product is made transposed, b being the left
// factor:
//
//                     k                                    rows
//            ┌────┬────┬────┬────┐                      ┌───────┐
//   16 or 32 │ s0 │ s1 │ s2 │ s3 │  b    times a   →    │ sums  │   Subgroups s divide k, 32 each; a goes through workgroup
//   columns  └────┴────┴────┴────┘                      └───────┘   memory, and there the subgroups' sums meet at the end.
//
// table.ts has the measured number of subgroups. The reference is `matmulReference`.

/** The tile of a product of few rows: its subgroups divide k, and each makes all of the workgroup's blocks. */
export interface FewTile {
  subgroups: number
  /** Blocks of 16 columns. */
  columnBlocks: number
}

/** Whether `matmulUnitsFew` can make the product: weights are read in whole blocks, straight from their tensor. */
export const fewFits = ({ form, inner, types, bVector }: Variant, columns: number, tile: FewTile): boolean =>
  form === 'nt' &&
  types.b === 'f16' &&
  bVector &&
  inner % (tile.subgroups * 32) === 0 &&
  columns % (tile.columnBlocks * 16) === 0

/** The kernel of an `nt` product of few rows on matrix units; `key` names it and everything that its WGSL depends on. */
export function matmulUnitsFew(key: KernelKey, target: Target, variant: Variant, tile: FewTile): Tiling {
  const rowBlocks = Math.ceil(Math.min(variant.rows, 64) / 16)
  const [tileRows, tileColumns] = [rowBlocks * 16, tile.columnBlocks * 16]
  const define = () => {
    const units = matrixBlocks(target.units, {
      left: [{ array: 'b', fast: 'k' }],
      right: [{ array: 'tile', fast: 'k' }],
      tiles: ['tile'],
    })
    return {
      name: `${nameOf('units_few', variant)}_${tileRows}x${tileColumns}x${tile.subgroups * 32}`,
      enables: target.units === 'native' ? units.enables : enablesOf(variant),
      params,
      buffers: wideBuffers(variant),
      code: unitsFewWgsl(units, variant, tile),
    }
  }
  return { tileRows, tileColumns, kernel: kernel(key, define) }
}

function unitsFewWgsl(units: BlocksWgsl, variant: Variant, { subgroups, columnBlocks }: FewTile): string {
  const rowBlocks = Math.ceil(Math.min(variant.rows, 64) / 16)
  const lanes = subgroups * 32
  const depth = subgroups * 32
  const side: Side = {
    name: 'a',
    fast: 'k',
    extent: rowBlocks * 16,
    depth,
    lanes,
    vector: variant.aVector,
    type: variant.types.a,
    isInside: false,
    isExact: true,
    wholeInner: true,
  }
  const pitch = depth / 8 + 1
  const chunks = (rowBlocks * 16 * depth) / 8 / lanes
  const down = lanes / (depth / 8)
  // b is the left factor: a block of sums has a row for each column of out, and a column for each row.
  const sumsPitch = rowBlocks * 4
  const sumsOfSubgroup = columnBlocks * 16 * sumsPitch
  const tileColumns = columnBlocks * 16
  const names = unroll(columnBlocks, c => unroll(rowBlocks, r => `sums${c}_${r}`))
  const results = rowBlocks * 16 * tileColumns
  return `
var<workgroup> tile: array<vec4u, ${Math.max(rowBlocks * 16 * pitch, subgroups * sumsOfSubgroup)}>;
${units.declarations}
${chunkWgsl(side, 'a', variant.counted)}
${finishWgsl(variant)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${locate(rowBlocks * 16, tileColumns)}
  let subgroup = ${units.subgroup};
  ${names
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join('\n  ')}
  let b_pitch = params.b_row / 8u;
  var b_block = (b_start + column * params.b_row) / 8u + subgroup * 4u;
  for (var k = 0u; k < inner; k += ${depth}u) {
    workgroupBarrier();
    ${unroll(chunks, i => `tile[(lane / ${depth / 8}u + ${i * down}u) * ${pitch}u + lane % ${depth / 8}u] = halves_a(fetch_a(a_start, row + lane / ${depth / 8}u + ${i * down}u, k + lane % ${depth / 8}u * 8u));`).join('\n    ')}
    workgroupBarrier();
    ${unroll(
      2,
      half => `{
      ${unroll(columnBlocks, c => `let left${c} = ${units.left(`b_block + ${c * 16}u * b_pitch + ${half * 2}u`, 'b_pitch')};`).join('\n      ')}
      ${unroll(rowBlocks, r => `{ let right = ${units.right(`subgroup * 4u + ${r * 16 * pitch + half * 2}u`, `${pitch}u`)}; ${unroll(columnBlocks, c => `${names[c][r]} = ${units.multiply(`left${c}`, 'right', names[c][r])};`).join(' ')} }`).join('\n      ')}
    }`,
    ).join('\n    ')}
    b_block += ${depth / 8}u;
  }
  workgroupBarrier();
  ${names.flatMap((line, c) => line.map((name, r) => `${units.store('tile', `subgroup * ${sumsOfSubgroup}u + ${c * 16 * sumsPitch + r * 4}u`, sumsPitch, name)};`)).join('\n  ')}
  workgroupBarrier();
  for (var q = lane; q < ${results}u; q += ${lanes}u) {
    let to_row = row + q / ${tileColumns}u;
    let to_column = column + q % ${tileColumns}u;
    if (to_row < rows && to_column < columns) {
      var sum = 0.0;
      let at = q % ${tileColumns}u * ${sumsPitch}u + q / ${tileColumns * 4}u;
      for (var s = 0u; s < ${subgroups}u; s++) { sum += bitcast<vec4f>(tile[at + s * ${sumsOfSubgroup}u])[(q / ${tileColumns}u) & 3u]; }
      finish(out_start + to_row * params.out_row + to_column, to_column, sum);
    }
  }
}`
}

/** The usual bindings, but with the widest loads of the factors. */
function wideBuffers(variant: Variant): Record<string, BufferSpec> {
  const wide: BufferSpec = { element: 'vec4u', access: 'read' }
  const specs = { ...buffers(variant), b: wide }
  return variant.aVector && variant.types.a === 'f16' ? { ...specs, a: wide } : specs
}

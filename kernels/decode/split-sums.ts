import type { Tensor } from '../device/tensor.ts'
import { unroll } from '../wgsl/text.ts'
import { productCall, type Recorded } from './product-call.ts'
import { callOfEnds } from './product-ends.ts'
import { knownSizes, type On, rowSizes, type StepProduct, type StepSums, splitsOf } from './product-tile.ts'
import { blockIndexWgsl } from './row-blocks.ts'

// The end of a product whose workgroups divided k (product-by-columns.ts): a lane adds the parts of a result's sums up, and
// finishes it.
//
//   parts (splits, rows in blocks, columns by tile)          sum(row, column) = Σ over splits of parts[split, row, column]

const lanes = 128

/** Shape of the parts of a product's sums. */
export function partsOf({ rows, columnTiles, tile }: StepSums) {
  const { high, allBlocks } = rowSizes(rows)
  return [splitsOf(tile), high * allBlocks, columnTiles * 16]
}

/** WGSL: Σ over splits of the parts at a place, which counts elements of the binding. */
export const sumOfParts = (splits: number, stride: string, place: string): string =>
  unroll(splits, split => `parts[${split}u * ${stride} + ${place}]`).join(' + ')

/** The kernel and its call. */
export function splitSums(of: On<StepProduct>, parts: Tensor): Recorded {
  const { rows, results, columnTiles, norm } = of
  const { high, allBlocks } = rowSizes(rows)
  const known = knownSizes(of.target, { columns: columnTiles * 16 })
  const exact = `var total = 0.0;
  for (var p = 0u; p < params.square_parts; p++) { total += squares[p * padded + row_base]; }
  let exact = inverseSqrt(total / f32(params.normed) + params.epsilon);
  scale_here = exact / squares[params.square_parts * padded + row_base];
  if (item % params.column_groups == 0u) { exact_scales[row_base] = exact; }`
  const code = `
const tile_rows = 1u;
var<private> scale_here: f32;
var<private> sums_at: u32;
${blockIndexWgsl(high)}
fn sum_of(row: u32, column: u32) -> f32 {
  let at = sums_at + column;
  let stride = params.row_blocks * ${high}u * ${known.wgsl.columns};
  return ${sumOfParts(parts.shape[0], 'stride', 'at')};
}
fn scale_of(row: u32) -> f32 { return scale_here; }
${of.functions ?? ''}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let item = workgroup_index(id) * ${lanes}u + lane;
  if (item >= params.rows * params.column_groups) { return; }
  let row_base = item / params.column_groups;
  let padded = params.row_blocks * ${high}u;
  let column_tile = item % params.column_groups / ${results}u;
  let row_ = 0u;
  let column_ = item % ${results}u;
  sums_at = row_base * ${known.wgsl.columns} + column_tile * 16u;
  ${norm ? exact : `scale_here = ${of.squares ? 'squares[row_base]' : '1.0'};`}
  ${of.locate}
  ${of.prepare('_')}
  ${of.finish('_')}
}`
  const columnGroups = columnTiles * results // results of a row
  return productCall(of, {
    name: `${of.name}_sums_${parts.shape[0]}`,
    enables: 'enable f16;',
    code,
    known,
    rowBlocks: allBlocks,
    columnGroups,
    grid: Math.ceil((rows * columnGroups) / lanes),
    buffers: { parts: { element: 'f32', access: 'read', tensor: parts } },
    ends: callOfEnds(of),
  })
}

import { blockOfHalves, chunkLoads, chunkWgsl, type Side } from './matmul-chunks.ts'
import {
  activationWgsl,
  buffers,
  each,
  enablesOf,
  keptWgsl,
  locate,
  nameOf,
  params,
  type Tiling,
  type Variant,
  withConstants,
} from './matmul-variant.ts'
import { matrixWgsl } from './matrix-units.ts'
import { type BufferSpec, kernel, type Target } from './plan.ts'

/** How a workgroup's part of the result is cut: subgroups over rows and columns, and each one's 16 × 16 blocks. */
export interface UnitTile {
  rowSubgroups: number
  columnSubgroups: number
  rowBlocks: number
  columnBlocks: number
  /** k that are in workgroup memory at a time. */
  depth: number
}

const vectorHalves = 8

/**
 * Products on matrix units: factors are rounded to float16 on their way into workgroup memory (what exceeds its range
 * becomes the largest float16), sums are float32. The next k are fetched while these are multiplied. Results go
 * through workgroup memory, since blocks of results cannot be read element by element.
 */
export function matmulUnits(target: Target, variant: Variant, tile: UnitTile): Tiling {
  const { rowSubgroups, columnSubgroups, rowBlocks, columnBlocks, depth } = tile
  const tileRows = rowSubgroups * rowBlocks * 16
  const tileColumns = columnSubgroups * columnBlocks * 16
  const lanes = rowSubgroups * columnSubgroups * 32
  const fastA = variant.form === 'tn' ? 'index' : 'k'
  const fastB = variant.form === 'nt' ? 'k' : 'index'
  const exact = variant.fixed.inner !== undefined && variant.fixed.inner % depth === 0
  const sideA: Side = {
    name: 'a',
    fast: fastA,
    extent: tileRows,
    depth,
    lanes,
    vector: variant.aVector,
    type: variant.types.a,
    exact,
  }
  const sideB: Side = {
    ...{ name: 'b', fast: fastB, extent: tileColumns, depth, lanes, exact },
    ...(variant.oneTensor
      ? { vector: variant.aVector, type: variant.types.a }
      : { vector: variant.bVector, type: variant.types.b }),
  }
  const [a, b] = [chunkLoads(sideA, 0), chunkLoads(sideB, blockOfHalves(sideA).vectors)]
  const units = matrixWgsl(target.units)
  const stripPitch = tileColumns / 4 + 1
  const stripRows = rowSubgroups * 16
  const vectors = Math.max(a.vectors + b.vectors, stripRows * stripPitch)
  const sums = each(rowBlocks, i => each(columnBlocks, j => `sums${i}_${j}`))
  // Where a subgroup's first block of each factor begins, and how far the next block and the next 16 k are.
  const start = (fast: 'k' | 'index', pitch: number, which: string, blocks: number) =>
    `${which} * ${blocks * 16 * (fast === 'k' ? pitch : 1 / vectorHalves)}u`
  const step = (fast: 'k' | 'index', pitch: number, block: number, k: number) =>
    fast === 'k' ? block * 16 * pitch + (k * 16) / vectorHalves : (block * 16) / vectorHalves + k * 16 * pitch
  const multiply = each(
    depth / 16,
    k => `{
      ${each(rowBlocks, i => `let left${i} = ${units.loadLeft(fastA, `a_block + ${step(fastA, a.pitch, i, k)}u`, `${a.pitch}u`)};`).join('\n      ')}
      ${each(columnBlocks, j => `{ let right = ${units.loadRight(fastB, `b_block + ${step(fastB, b.pitch, j, k)}u`, `${b.pitch}u`)}; ${each(rowBlocks, i => `${sums[i][j]} = ${units.multiply(`left${i}`, 'right', sums[i][j])};`).join(' ')} }`).join('\n      ')}
    }`,
  ).join('\n    ')
  const strip = (i: number): string => `
  workgroupBarrier();
  ${each(columnBlocks, j => `${units.store(`strip_block + ${j * 4}u`, stripPitch, sums[i][j])};`).join('\n  ')}
  workgroupBarrier();
  for (var q = lane; q < ${(stripRows * tileColumns) / 4}u; q += ${lanes}u) {
    let r = q / ${tileColumns / 4}u;
    let c = q % ${tileColumns / 4}u;
    let to_row = row + r / 16u * ${rowBlocks * 16}u + ${i * 16}u + r % 16u;
    let to_column = column + c * 4u;
    if (to_row < rows && to_column < columns) {
      write(out_start + to_row * params.out_row + to_column, to_column, bitcast<vec4f>(tile[r * ${stripPitch}u + c]));
    }
  }`
  const code = `
var<workgroup> tile: array<vec4u, ${vectors}>;
${units.declarations}
${chunkWgsl(sideA, 'a', variant.wholeInner, variant.counted)}
${chunkWgsl(sideB, variant.oneTensor ? 'a' : 'b', variant.wholeInner)}
${writeWgsl(variant)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${locate(tileRows, tileColumns, 8)}
  let subgroup = ${units.subgroup};
  let a_block = ${start(fastA, a.pitch, `subgroup % ${rowSubgroups}u`, rowBlocks)};
  let b_block = ${a.vectors}u + ${start(fastB, b.pitch, `subgroup / ${rowSubgroups}u`, columnBlocks)};
  let strip_block = subgroup % ${rowSubgroups}u * ${16 * stripPitch}u + subgroup / ${rowSubgroups}u * ${columnBlocks * 4}u;
  ${sums
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join('\n  ')}
  ${a.declare}
  ${b.declare}
  var a_at = a_start;
  var b_at = b_start;
  var k = 0u;
  ${a.fetch('row')}
  ${b.fetch('column')}
  let steps = (inner + ${depth - 1}u) / ${depth}u * params.repeats;
  for (var step = 0u; step < steps; step++) {
    workgroupBarrier();
    ${a.put}
    ${b.put}
    workgroupBarrier();
    if (step + 1u < steps) {
      k += ${depth}u;
      if (k >= inner) {
        k = 0u;
        a_at += params.a_repeat;
        b_at += params.b_repeat;
      }
    }
    ${a.fetch('row')}
    ${b.fetch('column')}
    ${multiply}
  }
  ${each(rowBlocks, strip).join('\n')}
}`
  return {
    tileRows,
    tileColumns,
    kernel: kernel({
      name: `${nameOf('units', variant)}_${tileRows}x${tileColumns}x${depth}`,
      enables: target.units === 'native' ? units.enables : enablesOf(variant),
      params,
      buffers: vectorBuffers(variant),
      code: withConstants(code, variant.fixed),
    }),
  }
}

/** The usual bindings, but with the widest loads and stores that strides and sizes allow. */
function vectorBuffers(variant: Variant): Record<string, BufferSpec> {
  const { aVector, bVector, outVector, types } = variant
  const specs = buffers(variant)
  if (aVector && types.a === 'f16') specs.a = { element: 'vec4u', access: 'read' }
  if (specs.b && bVector && types.b === 'f16') specs.b = { element: 'vec4u', access: 'read' }
  if (!outVector) return specs
  for (const name of ['bias', 'residual']) if (specs[name]) specs[name] = { element: 'vec4f', access: 'read' }
  return { ...specs, out: { element: `vec4<${types.out}>`, access: 'write' } }
}

const writeWgsl = (variant: Variant): string => {
  const { outVector, types, bias, residual, activation } = variant
  const kept = types.out === 'f16' ? keptWgsl(variant, outVector ? 'vec4f' : 'f32') : 'let kept = value;'
  if (outVector)
    return `${activationWgsl(variant, 'vec4f')}
fn write(at: u32, column: u32, sum: vec4f) {
  var value = sum * params.scale;
  ${bias ? 'value += bias[column >> 2u];' : ''}
  ${residual ? 'value += residual[at >> 2u];' : ''}
  if (params.accumulate != 0u) { value += vec4f(out[at >> 2u]); }
  ${activation ? 'value = activated(value);' : ''}
  ${kept}
  out[at >> 2u] = vec4<${types.out}>(kept);
}`
  return `${activationWgsl(variant, 'f32')}
fn write(at: u32, column: u32, sums: vec4f) {
  for (var j = 0u; j < min(4u, params.columns - column); j++) {
    var value = sums[j] * params.scale;
    ${bias ? 'value += bias[column + j];' : ''}
    ${residual ? 'value += residual[at + j];' : ''}
    if (params.accumulate != 0u) { value += f32(out[at + j]); }
    ${activation ? 'value = activated(value);' : ''}
    ${kept}
    out[at + j] = ${types.out}(kept);
  }
}`
}

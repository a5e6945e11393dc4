import type { BufferSpec } from '../device/kernel.ts'
import type { BlocksWgsl } from '../wgsl/matrix-blocks.ts'
import { unroll } from '../wgsl/text.ts'
import type { UnitLayout } from './units-layout.ts'
import { activationWgsl, buffers, keptWgsl, type Variant } from './variant.ts'

// How `matmulUnits` finishes: sums become results.

/**
 * WGSL that stores block row `i` of every subgroup to workgroup memory, a strip of the tile, and writes it from there:
 * each lane four neighbours at a time. Where out takes whole vectors, the bias and residual of a strip are fetched all at
 * once while blocks are stored; element by element that would be too much code, so there it is a loop.
 */
export function finishStripWgsl(
  units: BlocksWgsl,
  { outVector, isInside }: Variant,
  layout: UnitLayout,
  i: number,
): string {
  const { lanes, tileColumns, rowSubgroups, rowBlocks, columnBlocks, sums, stripPitch } = layout
  const { parts, stripVectors } = layout
  const all = (rowSubgroups * 16 * tileColumns) / 4
  const quads = unroll(Math.ceil(all / lanes), q => q)
  const ofAll = (at: string) => (all % lanes === 0 ? `(${at})` : `min(${at}, ${all - 1}u)`)
  const isOwn = (q: number) =>
    isInside ? `row${q} >= tile_row && column${q} >= tile_column` : `row${q} < rows && column${q} < columns`
  const prepare = (q: number, at: string): string => `
    let r${q} = ${ofAll(at)} / ${tileColumns / 4}u;
    let c${q} = ${ofAll(at)} % ${tileColumns / 4}u;
    let row${q} = row + r${q} / 16u * ${rowBlocks * 16}u + ${i * 16}u + r${q} % 16u;
    let column${q} = column + c${q} * 4u;
    let at${q} = out_start + row${q} * params.out_row + column${q};
    let inside${q} = ${isOwn(q)}${all % lanes === 0 ? '' : ` && ${at} < ${all}u`};
    var rest${q} = vec4f();
    if (inside${q}) { rest${q} = rest(at${q}, column${q}); }`
  const sumOf = (q: number) =>
    unroll(
      parts,
      part => `bitcast<vec4f>(tile[${part * stripVectors}u + r${q} * ${stripPitch}u + c${q}])`,
    ).join(' + ')
  const finish = (q: number) => `
    if (inside${q}) { write(at${q}, column${q}, sum${q} * params.scale + rest${q}); }`
  const store = `
    workgroupBarrier();
    ${unroll(columnBlocks, j => `${units.store('tile', `strip_block + ${j * 4}u`, stripPitch, sums[i][j])};`).join('\n    ')}
    workgroupBarrier();`
  if (outVector)
    return `{
    ${quads.map(q => prepare(q, `lane + ${q * lanes}u`)).join('')}
    ${store}
    ${quads.map(q => `let sum${q} = ${sumOf(q)};`).join('\n    ')}
    ${quads.map(finish).join('')}
  }`
  return `
  ${store}
  for (var quad = lane; quad < ${all}u; quad += ${lanes}u) {
    ${prepare(0, 'quad')}
    let sum0 = ${sumOf(0)};
    ${finish(0)}
  }`
}

/** The usual bindings, but with the widest loads and stores that strides and sizes allow. */
export function unitBuffers(variant: Variant): Record<string, BufferSpec> {
  const { aVector, bVector, outVector, types } = variant
  const specs = buffers(variant)
  if (aVector && types.a === 'f16') specs.a = { element: 'vec4u', access: 'read' }
  if (specs.b && bVector && types.b === 'f16') specs.b = { element: 'vec4u', access: 'read' }
  if (!outVector) return specs
  for (const name of ['bias', 'residual']) if (specs[name]) specs[name] = { element: 'vec4f', access: 'read' }
  if (variant.gate) specs.gate = { element: `vec4<${variant.gate}>`, access: 'read' }
  return { ...specs, out: { element: `vec4<${types.out}>`, access: 'write' } }
}

/**
 * WGSL: `rest(at, column)`, the bias, residual and earlier values to be added to four results, the first of which is
 * element `at` of out; and `write`, which finishes and keeps them. They are two functions so that loads need not wait
 * for stores.
 */
export const writeWgsl = (variant: Variant): string => {
  const { outVector, types, bias, residual, activation, gate } = variant
  const type = outVector ? 'vec4f' : 'f32'
  const kept = types.out === 'f16' ? keptWgsl(variant, type) : 'let kept = value;'
  const activated = activation ? 'value = activated(value);' : ''
  if (outVector)
    return `${activationWgsl(variant, type)}
fn rest(at: u32, column: u32) -> vec4f {
  var rest = vec4f();
  ${bias ? 'rest += bias[column >> 2u];' : ''}
  ${residual ? 'rest += residual[at >> 2u];' : ''}
  if (params.accumulate != 0u) { rest += vec4f(out[at >> 2u]); }
  return rest;
}
fn write(at: u32, column: u32, values: vec4f) {
  var value = values;
  ${activated}
  ${gate ? 'value *= activated(vec4f(gate[at >> 2u]));' : ''}
  ${kept}
  out[at >> 2u] = vec4<${types.out}>(kept);
}`
  return `${activationWgsl(variant, type)}
fn rest(at: u32, column: u32) -> vec4f {
  var rest = vec4f();
  for (var j = 0u; j < min(4u, params.columns - column); j++) {
    ${bias ? 'rest[j] += bias[column + j];' : ''}
    ${residual ? 'rest[j] += residual[at + j];' : ''}
    if (params.accumulate != 0u) { rest[j] += f32(out[at + j]); }
  }
  return rest;
}
fn write(at: u32, column: u32, values: vec4f) {
  for (var j = 0u; j < min(4u, params.columns - column); j++) {
    var value = values[j];
    ${activated}
    ${gate ? 'value *= activated(f32(gate[at + j]));' : ''}
    ${kept}
    out[at + j] = ${types.out}(kept);
  }
}`
}

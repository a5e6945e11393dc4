import { type BufferSpec, type KernelKey, kernel, type Target } from '../device/kernel.ts'
import { type MatrixWgsl, matrixWgsl } from '../wgsl/matrix-units.ts'
import { unroll, withConstants } from '../wgsl/text.ts'
import { blockOfHalves, chunkLoads, chunkWgsl, type Side } from './chunks.ts'
import {
  activationWgsl,
  buffers,
  enablesOf,
  keptWgsl,
  locate,
  nameOf,
  params,
  type Tiling,
  type Variant,
} from './variant.ts'

/** How a workgroup's part of the result is cut: subgroups over rows and columns, and each one's 16 × 16 blocks. */
export interface UnitTile {
  rowSubgroups: number
  columnSubgroups: number
  rowBlocks: number
  columnBlocks: number
  /** k that are in workgroup memory at a time. */
  depth: number
  /** How often the subgroups are there, each time for its part of those k; by default once. */
  parts?: number
}

const vectorHalves = 8

/**
 * Products on matrix units: factors are rounded to float16 on their way into workgroup memory (what exceeds its range
 * becomes the largest float16), sums are float32. The next k are fetched while these are multiplied. Results go
 * through workgroup memory, since blocks of results cannot be read element by element.
 */
export function matmulUnits(key: KernelKey, target: Target, variant: Variant, tile: UnitTile): Tiling {
  const tileRows = tile.rowSubgroups * tile.rowBlocks * 16
  const tileColumns = tile.columnSubgroups * tile.columnBlocks * 16
  const { depth, parts = 1 } = tile
  const define = () => {
    const units = matrixWgsl(target.units)
    return {
      name: `${nameOf('units', variant)}_${tileRows}x${tileColumns}x${depth}${parts > 1 ? `by${parts}` : ''}`,
      enables: target.units === 'native' ? units.enables : enablesOf(variant),
      params,
      buffers: vectorBuffers(variant),
      code: withConstants(unitsWgsl(units, variant, tile), variant.fixed),
    }
  }
  return { tileRows, tileColumns, kernel: kernel(key, define) }
}

function unitsWgsl(units: MatrixWgsl, variant: Variant, tile: UnitTile): string {
  const { rowSubgroups, columnSubgroups, rowBlocks, columnBlocks, depth, parts = 1 } = tile
  const tileRows = rowSubgroups * rowBlocks * 16
  const tileColumns = columnSubgroups * columnBlocks * 16
  const subgroups = rowSubgroups * columnSubgroups
  const lanes = subgroups * parts * 32
  const fastA = variant.form === 'tn' ? 'index' : 'k'
  const fastB = variant.form === 'nt' ? 'k' : 'index'
  // Most steps do not reach past inner; only the last one need look.
  const { inner: knownInner = 0 } = variant.fixed
  const exact = knownInner > 0 && knownInner % depth === 0
  const mostly = knownInner >= 4 * depth
  const sideA: Side = {
    name: 'a',
    fast: fastA,
    extent: tileRows,
    depth,
    lanes,
    vector: variant.aVector,
    type: variant.types.a,
  }
  const sideB: Side = {
    ...{ name: 'b', fast: fastB, extent: tileColumns, depth, lanes },
    ...(variant.oneTensor
      ? { vector: variant.aVector, type: variant.types.a }
      : { vector: variant.bVector, type: variant.types.b }),
  }
  const [a, b] = [chunkLoads(sideA, 0), chunkLoads(sideB, blockOfHalves(sideA).vectors)]
  const fetchAll = (whole: boolean) => `${a.fetch('row', whole)}\n    ${b.fetch('column', whole)}`
  const fetch =
    exact || !mostly
      ? fetchAll(exact)
      : `if (k + ${depth}u <= inner) {
    ${fetchAll(true)}
    } else {
    ${fetchAll(false)}
    }`
  const stripPitch = tileColumns / 4 + 1
  const stripRows = rowSubgroups * 16
  const stripVectors = stripRows * stripPitch
  const vectors = Math.max(a.vectors + b.vectors, parts * stripVectors)
  const sums = unroll(rowBlocks, i => unroll(columnBlocks, j => `sums${i}_${j}`))
  // Where a subgroup's first block of each factor begins, and how far the next block and the next 16 k are.
  const kOfPart = depth / 16 / parts
  const start = (fast: 'k' | 'index', pitch: number, which: string, blocks: number) =>
    `${which} * ${blocks * 16 * (fast === 'k' ? pitch : 1 / vectorHalves)}u + part * ${kOfPart * 16 * (fast === 'k' ? 1 / vectorHalves : pitch)}u`
  const step = (fast: 'k' | 'index', pitch: number, block: number, k: number) =>
    fast === 'k' ? block * 16 * pitch + (k * 16) / vectorHalves : (block * 16) / vectorHalves + k * 16 * pitch
  const multiply = unroll(
    kOfPart,
    k => `{
      ${unroll(rowBlocks, i => `let left${i} = ${units.loadLeft(fastA, `a_block + ${step(fastA, a.pitch, i, k)}u`, `${a.pitch}u`)};`).join('\n      ')}
      ${unroll(columnBlocks, j => `{ let right = ${units.loadRight(fastB, `b_block + ${step(fastB, b.pitch, j, k)}u`, `${b.pitch}u`)}; ${unroll(rowBlocks, i => `${sums[i][j]} = ${units.multiply(`left${i}`, 'right', sums[i][j])};`).join(' ')} }`).join('\n      ')}
    }`,
  ).join('\n    ')
  // Each lane writes four neighbours at a time. What is added to them is fetched while blocks are stored, and all of a
  // strip at once; element by element that is too much code.
  const quads = unroll((stripRows * tileColumns) / 4 / lanes, q => q)
  const prepare = (q: number, at: string, i: number): string => `
    let r${q} = (${at}) / ${tileColumns / 4}u;
    let c${q} = (${at}) % ${tileColumns / 4}u;
    let row${q} = row + r${q} / 16u * ${rowBlocks * 16}u + ${i * 16}u + r${q} % 16u;
    let column${q} = column + c${q} * 4u;
    let at${q} = out_start + row${q} * params.out_row + column${q};
    let inside${q} = row${q} < rows && column${q} < columns;
    var rest${q} = vec4f();
    if (inside${q}) { rest${q} = rest(at${q}, column${q}); }`
  const sumOf = (q: number) =>
    unroll(
      parts,
      part => `bitcast<vec4f>(tile[${part * stripVectors}u + r${q} * ${stripPitch}u + c${q}])`,
    ).join(' + ')
  const finish = (q: number) => `
    if (inside${q}) { write(at${q}, column${q}, sum${q} * params.scale + rest${q}); }`
  const store = (i: number) => `
    workgroupBarrier();
    ${unroll(columnBlocks, j => `${units.store(`strip_block + ${j * 4}u`, stripPitch, sums[i][j])};`).join('\n    ')}
    workgroupBarrier();`
  const strip = (i: number): string =>
    variant.outVector
      ? `{
    ${quads.map(q => prepare(q, `lane + ${q * lanes}u`, i)).join('')}
    ${store(i)}
    ${quads.map(q => `let sum${q} = ${sumOf(q)};`).join('\n    ')}
    ${quads.map(finish).join('')}
  }`
      : `
  ${store(i)}
  for (var quad = lane; quad < ${quads.length * lanes}u; quad += ${lanes}u) {
    ${prepare(0, 'quad', i)}
    let sum0 = ${sumOf(0)};
    ${finish(0)}
  }`
  return `
var<workgroup> tile: array<vec4u, ${vectors}>;
${units.declarations}
${chunkWgsl(sideA, 'a', variant.wholeInner, variant.counted)}
${chunkWgsl(sideB, variant.oneTensor ? 'a' : 'b', variant.wholeInner)}
${writeWgsl(variant)}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32${units.builtins}) {
  ${locate(tileRows, tileColumns, 8)}
  let part = ${units.subgroup} / ${subgroups}u;
  let subgroup = ${units.subgroup} % ${subgroups}u;
  let a_block = ${start(fastA, a.pitch, `subgroup % ${rowSubgroups}u`, rowBlocks)};
  let b_block = ${a.vectors}u + ${start(fastB, b.pitch, `subgroup / ${rowSubgroups}u`, columnBlocks)};
  let strip_block = part * ${stripVectors}u + subgroup % ${rowSubgroups}u * ${16 * stripPitch}u + subgroup / ${rowSubgroups}u * ${columnBlocks * 4}u;
  ${sums
    .flat()
    .map(name => `var ${name}: Sums;`)
    .join('\n  ')}
  ${a.declare}
  ${b.declare}
  var a_at = a_start;
  var b_at = b_start;
  var k = 0u;
  ${fetch}
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
    ${fetch}
    ${multiply}
  }
  ${unroll(rowBlocks, strip).join('\n')}
}`
}

/** The usual bindings, but with the widest loads and stores that strides and sizes allow. */
function vectorBuffers(variant: Variant): Record<string, BufferSpec> {
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
 * WGSL: `rest(at, column)`, what is added to four results of which the first is element `at` of out, and `write`, which
 * keeps them. Apart, so that loads need not wait for stores.
 */
const writeWgsl = (variant: Variant): string => {
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

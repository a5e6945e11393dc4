import { type KernelKey, kernel, type Target } from '../device/kernel.ts'
import { unroll } from '../wgsl/text.ts'
import { access, buffers, enablesOf, locate, nameOf, params, type Tiling, type Variant } from './variant.ts'

// `nt` products of few rows on GPUs in float32. Each number of b is used only a few times, so the time is that of reading b: the
// lanes of a workgroup read rows of it side by side, once for up to 8 rows of a.
//
//   4 rows of b (columns of out)             64 lanes: lane l takes k = 4 l, 4 l + 256, … four at a time, for all
//   ├ l0 ┼ l1 ┼ l2 ┼ … ┼ l63 ┼ l0 ┼ …        4 columns and up to 8 rows of a; what the lanes summed is added up
//   k →                                      in workgroup memory at the end.

const lanes = 64
const tileColumns = 4

/** The kernel of an `nt` product of few rows on a GPU; `key` names it and everything that its WGSL depends on. */
export function matmulSkinny(key: KernelKey, _: Target, variant: Variant): Tiling {
  const tileRows = variant.rows === 1 ? 1 : variant.rows <= 4 ? 4 : 8
  const define = () => ({
    name: nameOf(`skinny${tileRows}`, variant),
    enables: enablesOf(variant),
    params,
    buffers: buffers(variant),
    code: skinnyWgsl(variant, tileRows),
  })
  return { tileRows, tileColumns, kernel: kernel(key, define) }
}

function skinnyWgsl(variant: Variant, tileRows: number): string {
  const results = tileRows * tileColumns
  const product = (i: number, c: number) => `sum${i}_${c} = fma(left${i}, right${c}, sum${i}_${c});`
  const rows = unroll(tileRows, i => i)
  const columns = unroll(tileColumns, c => c)
  const sums = rows.flatMap(i => columns.map(c => `sum${i}_${c}`))
  return `${access(variant)}
var<workgroup> partial: array<f32, ${results * (lanes + 1)}>;
fn until(values: vec4f, k: u32) -> vec4f {
  return select(vec4f(), values, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(params.inner));
}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${locate(tileRows, tileColumns)}
  ${sums.map(name => `var ${name} = vec4f();`).join('\n')}
  for (var repeat = 0u; repeat < params.repeats; repeat++) {
    ${rows.map(i => `let a${i} = a_start + repeat * params.a_repeat + min(row + ${i}u, rows - 1u) * params.a_row;`).join('\n')}
    ${columns.map(c => `let b${c} = b_start + repeat * params.b_repeat + min(column + ${c}u, columns - 1u) * params.b_row;`).join('\n')}
    for (var k = lane * 4u; k < inner; k += ${lanes * 4}u) {
      ${rows.map(i => `let left${i} = until(a4_until(a${i} + k, a${i} + inner - 1u), k);`).join('\n')}
      ${columns.map(c => `let right${c} = until(b4_until(b${c} + k, b${c} + inner - 1u), k);`).join('\n')}
      ${rows.flatMap(i => columns.map(c => product(i, c))).join('\n')}
    }
  }
  ${sums.map((name, i) => `partial[${i * (lanes + 1)}u + lane] = ${name}.x + ${name}.y + (${name}.z + ${name}.w);`).join('\n')}
  workgroupBarrier();
  if (lane >= ${results}u) { return; }
  let own_row = row + lane / ${tileColumns}u;
  let own_column = column + lane % ${tileColumns}u;
  if (own_row >= rows || own_column >= columns) { return; }
  var sum = 0.0;
  for (var i = 0u; i < ${lanes}u; i++) { sum += partial[lane * ${lanes + 1}u + i]; }
  finish(out_start + own_row * params.out_row + own_column, own_column, sum);
}`
}

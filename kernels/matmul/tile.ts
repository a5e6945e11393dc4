import { type KernelKey, kernel, type Target } from '../device/kernel.ts'
import { unroll } from '../wgsl/text.ts'
import {
  access,
  blockOfInner,
  buffers,
  enablesOf,
  locate,
  nameOf,
  params,
  type Tiling,
  type Variant,
} from './variant.ts'

// Products for GPUs in float32: 64 × 64 results by 128 threads, 4 rows × 8 columns each, which stay in registers.
//
//          16 k            64 columns               64 columns
//        ┌──────┐        ┌────────────┐        ┌──┬──┬─…─┬──┬──┐
//        │ a    │        │ b          │ 16 k   │t0│t1│   │t0│t1│    A thread's 8 columns are two times 4, 32 apart, so that
//     64 │      │        └────────────┘        ├──┼──┼─…─┼──┼──┤    neighbouring threads read neighbouring four-vectors.
//   rows │      │                              │t8│t9│   │t8│t9│
//        └──────┘                              └──┴──┴─…─┴──┴──┘
//
//   load      half of the threads bring a 4 × 4 block of a each, the other half one of b, transposed so that k is the slow
//             index; the next blocks are fetched while these are multiplied
//   multiply  per k: one four-vector of a, two of b, 8 fused multiply-adds of four-vectors
//   finish    blocks of 256 k are summed apart, which keeps the error of long sums small; then `finish` of variant.ts

const tile = 64 // rows and columns of a workgroup's part of the result
const depth = 16 // k that are in workgroup memory at a time
const pitch = tile / 4 + 1 // one more than a row of four-vectors, against bank conflicts

/** The kernel of a float32 product on a GPU; `key` names it and everything that its WGSL depends on. */
export function matmulTile(key: KernelKey, _: Target, variant: Variant): Tiling {
  const define = () => ({
    name: nameOf('tile', variant),
    enables: enablesOf(variant),
    params,
    buffers: buffers(variant),
    code: tileWgsl(variant),
  })
  return { tileRows: tile, tileColumns: tile, kernel: kernel(key, define) }
}

function tileWgsl(variant: Variant): string {
  const sums = unroll(4, i => [`sum${i}_0`, `sum${i}_1`]).flat()
  return `${access(variant)}
var<workgroup> a_tile: array<vec4f, ${depth * pitch}>;
var<workgroup> b_tile: array<vec4f, ${depth * pitch}>;
${variant.form === 'tn' ? acrossRows('a') : alongRows('a')}
${variant.form === 'nt' ? alongRows('b') : acrossRows('b')}
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  ${locate(tile, tile)}
  let loader = lane % 64u;
  let a_k = ${variant.form === 'tn' ? 'loader / 16u * 4u' : 'loader % 4u * 4u'};
  let a_quad = ${variant.form === 'tn' ? 'loader % 16u' : 'loader / 4u'};
  let b_k = ${variant.form === 'nt' ? 'loader % 4u * 4u' : 'loader / 16u * 4u'};
  let b_quad = ${variant.form === 'nt' ? 'loader / 4u' : 'loader % 16u'};
  let own_row = lane / 8u;
  let own_column = lane % 8u;
  ${sums.map(name => `var total_${name} = vec4f();`).join('\n')}
  for (var repeat = 0u; repeat < params.repeats; repeat++) {
    let a_at = a_start + repeat * params.a_repeat;
    let b_at = b_start + repeat * params.b_repeat;
    for (var block = 0u; block < inner; block += ${blockOfInner}u) {
      let end = min(block + ${blockOfInner}u, inner);
      ${sums.map(name => `var ${name} = vec4f();`).join('\n')}
      var next = mat4x4f();
      for (var k = block; ; k += ${depth}u) {
        if (k < end) {
          if (lane < 64u) { next = load_a(a_at, row + a_quad * 4u, k + a_k); }
          else { next = load_b(b_at, column + b_quad * 4u, k + b_k); }
        }
        if (k > block) {
          for (var u = 0u; u < ${depth}u; u++) {
            let left = a_tile[u * ${pitch}u + own_row];
            let right0 = b_tile[u * ${pitch}u + own_column];
            let right1 = b_tile[u * ${pitch}u + 8u + own_column];
            ${unroll(4, i =>
              [0, 1].map(v => `sum${i}_${v} = fma(vec4f(left[${i}]), right${v}, sum${i}_${v});`),
            )
              .flat()
              .join('\n')}
          }
        }
        workgroupBarrier();
        if (k >= end) { break; }
        if (lane < 64u) {
          ${unroll(4, u => `a_tile[(a_k + ${u}u) * ${pitch}u + a_quad] = next[${u}];`).join('\n')}
        } else {
          ${unroll(4, u => `b_tile[(b_k + ${u}u) * ${pitch}u + b_quad] = next[${u}];`).join('\n')}
        }
        workgroupBarrier();
      }
      ${sums.map(name => `total_${name} += ${name};`).join('\n')}
    }
  }
  let totals = array(${sums.map(name => `total_${name}`).join(', ')});
  let to_row = row + own_row * 4u;
  for (var i = to_row; i < min(to_row + 4u, rows); i++) {
    for (var v = 0u; v < 2u; v++) {
      let to_column = column + v * 32u + own_column * 4u;
      for (var j = to_column; j < min(to_column + 4u, columns); j++) {
        finish(out_start + i * params.out_row + j, j, totals[(i - to_row) * 2u + v][j - to_column]);
      }
    }
  }
}`
}

const extentOf = (name: 'a' | 'b') => (name === 'a' ? 'params.rows' : 'params.columns')

// Column u of the result holds k + u of four rows (of b: columns), of which k is the fast index: what is outside is 0.
const alongRows = (name: 'a' | 'b'): string => `
fn load_${name}(at: u32, first: u32, k: u32) -> mat4x4f {
  return transpose(mat4x4f(${unroll(4, i => `row_of_${name}(at, first + ${i}u, k)`).join(', ')}));
}
fn row_of_${name}(at: u32, index: u32, k: u32) -> vec4f {
  let start = at + min(index, ${extentOf(name)} - 1u) * params.${name}_row;
  let values = ${name}4_until(start + min(k, (params.inner - 1u) & ~3u), start + params.inner - 1u);
  let end = select(0u, params.inner, index < ${extentOf(name)});
  return select(vec4f(), values, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(end));
}`

// The same where rows (of b: columns) are the fast index.
const acrossRows = (name: 'a' | 'b'): string => `
fn load_${name}(at: u32, first: u32, k: u32) -> mat4x4f {
  return mat4x4f(${unroll(4, u => `row_of_${name}(at, first, k + ${u}u)`).join(', ')});
}
fn row_of_${name}(at: u32, first: u32, k: u32) -> vec4f {
  let start = at + min(k, params.inner - 1u) * params.${name}_row;
  let last = ${extentOf(name)} - 1u;
  return select(vec4f(), ${name}4_until(start + min(first, last & ~3u), start + last), k < params.inner);
}`

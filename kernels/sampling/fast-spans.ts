import { kernel } from '../device/kernel.ts'
import { vectorise } from '../wgsl/packs.ts'

/** Tokens that are summed up as one. */
export const span = 32

/** Lanes of a workgroup that sums up spans. */
export const spanLanes = 256

/** A lane a span: its largest logit, and the sum of weights relative to that. */
export const summariseSpans = (vocabulary: number) =>
  kernel({
    name: 'draw_summaries',
    params: { rows: 'u32', columns: 'u32', spans: 'u32', coldness: 'f32' } as const,
    buffers: {
      logits: { element: vectorise(vocabulary).element, access: 'read' }, // (rows, columns)
      summaries: { element: 'vec2f', access: 'write' }, // (rows, spans)
    },
    code: `${accessWgsl(vectorise(vocabulary).size === 4)}
@compute @workgroup_size(${spanLanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(id) * ${spanLanes}u + lane;
  if (i >= params.rows * params.spans) { return; }
  let row = i / params.spans;
  let first = i % params.spans * ${span}u;
  ${fours(j => `let v${j} = four(row, first + ${4 * j}u);`)}
  var all = v0;
  ${fours(j => (j === 0 ? '' : `all = max(all, v${j});`))}
  let top = max(max(all.x, all.y), max(all.z, all.w));
  var sum = vec4f();
  ${fours(j => `{ let distance = (v${j} - top) * params.coldness; sum += select(vec4f(), exp(max(distance, vec4f(-87.0))), distance > vec4f(-87.0)); }`)}
  summaries[i] = vec2f(top, sum.x + sum.y + (sum.z + sum.w));
}`,
  })

/** WGSL: `four(row, c)`, neighbours, c a multiple of 4; past the row what can never be drawn. */
export const accessWgsl = (packed: boolean): string =>
  packed
    ? `
fn four(row: u32, c: u32) -> vec4f {
  if (c >= params.columns) { return vec4f(-3.4e38); }
  return logits[(row * params.columns + c) >> 2u];
}`
    : `
fn one(row: u32, c: u32) -> f32 { if (c >= params.columns) { return -3.4e38; } return logits[row * params.columns + c]; }
fn four(row: u32, c: u32) -> vec4f { return vec4f(one(row, c), one(row, c + 1u), one(row, c + 2u), one(row, c + 3u)); }`

/** A line of WGSL for each four tokens of a span. */
export const fours = (line: (i: number) => string): string =>
  Array.from({ length: span / 4 }, (_, i) => line(i)).join('\n  ')

// What adapters add to a product's matrices of integers while their tiles are written (tiled-weights.ts), so that no float copy
// of a matrix is written and read in between:
//
//   element (row, k) = scale · (integer − zero) + adapter scale · Σ over r of up[row, r] · down[r, k]
//
//                 rank                        inner
//   ups    │ query's rows │        downs   │ query: rank rows │     one binding each, however many matrices a product has
//          │ key's rows   │                │ key: rank rows   │
//          │ value's rows │                │ value: rank rows │
//
// A lane writes 8 neighbours of four rows: it reads the ups of these rows, and 8 neighbours of each down, once for all four.

import type { Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import { copy } from '../elementwise/copy.ts'
import type { Parameter } from '../layers/pass.ts'
import type { Recording } from '../plan/recording.ts'
import { knownSizes } from './product-tile.ts'

export interface JoinedAdapters {
  rank: number
  scale: number
  /** f16 (rows of all matrices, rank) */
  ups: Tensor
  /** f16 (matrices, rank, inner) */
  downs: Tensor
  /** The first row in `ups` of each matrix. */
  firstRows: readonly number[]
}

/**
 * Joins the adapters of a product's matrices (outputs, inner) in the current segment; matrices without one get zeros. Undefined
 * where none has one, or where they differ in rank or scale.
 */
export function joinAdapters(
  recording: Recording,
  parameters: readonly Parameter[],
): JoinedAdapters | undefined {
  const adapters = parameters.flatMap(({ adapter }) => adapter ?? [])
  const [first] = adapters
  if (!first) return undefined
  const [rank, inner] = first.down.shape
  const { scale } = first
  if (adapters.some(one => one.down.shape[0] !== rank || one.scale !== scale)) return undefined
  const firstRows: number[] = []
  let rows = 0
  for (const { shape } of parameters) {
    firstRows.push(rows)
    rows += shape[0]
  }
  const ups = recording.pin('ups of adapters', [Math.ceil((rows * rank) / 2) * 2], 'f16') // whole words
  const downs = recording.pin('downs of adapters', [parameters.length, rank, inner], 'f16')
  if (adapters.length < parameters.length) for (const tensor of [ups, downs]) recording.fill(tensor)
  for (const [i, { adapter }] of parameters.entries()) {
    if (!adapter) continue
    copy(recording, { from: adapter.up.value, into: ups, at: firstRows[i] * rank })
    copy(recording, { from: adapter.down.value, into: downs, at: i * rank * inner })
  }
  return { rank, scale, ups, downs, firstRows }
}

/** What the kernel that writes the tiles needs of adapters; nothing where there are none. `four` is WGSL of 4. */
export function adapterParts(target: Target, adapters: JoinedAdapters | undefined, four: string) {
  if (!adapters) return { types: {}, params: {}, specs: {}, buffers: {}, functions: '' }
  const { rank, scale, ups, downs } = adapters
  const known = knownSizes(target, { adapter_rank: rank })
  return {
    types: { adapter_scale: 'f32', ...known.types } as const,
    params: { adapter_scale: scale, ...known.params },
    specs: {
      ups: { element: 'u32', access: 'read' }, // two numbers a word
      downs: { element: 'vec4u', access: 'read' }, // 8 numbers a vector
    } as const,
    buffers: { ups, downs },
    functions: adapterWgsl(known.wgsl.adapter_rank, four),
  }
}

/**
 * `adapted(rows, matrix, vector)`: what is added to 8 numbers from `vector` · 8 on of each of four rows, which are counted through
 * all matrices.
 */
const adapterWgsl = (rank: string, four: string): string => `
struct Eight { low: vec4f, high: vec4f }
fn adapted(rows: vec4u, matrix: u32, vector: u32) -> array<Eight, 4> {
  var sums = array<Eight, 4>();
  for (var r = 0u; r < ${rank}; r++) {
    let down = downs[(matrix * ${rank} + r) * params.vectors + vector];
    let low = vec4f(unpack2x16float(down.x), unpack2x16float(down.y)) * params.adapter_scale;
    let high = vec4f(unpack2x16float(down.z), unpack2x16float(down.w)) * params.adapter_scale;
    for (var i = 0u; i < ${four}; i++) {
      let at = rows[i] * ${rank} + r;
      let up = unpack2x16float(ups[at / 2u])[at % 2u];
      sums[i].low += up * low;
      sums[i].high += up * high;
    }
  }
  return sums;
}
`

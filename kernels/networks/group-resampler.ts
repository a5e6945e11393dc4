import { roundToFloat16 } from '../device/float16.ts'
import type { FloatType, Tensor } from '../device/tensor.ts'
import { addTable } from '../elementwise/activations.ts'
import { activation } from '../layers/activation.ts'
import { attention } from '../layers/attention.ts'
import { gatherInto, type RowPair } from '../layers/gather.ts'
import { linear } from '../layers/linear.ts'
import { layerNorm } from '../layers/norm.ts'
import type { Pass } from '../layers/pass.ts'
import { type ParameterSet, parameter } from './parameters.ts'
import { type ConnectorShape, visualTokens } from './shape.ts'

const prefix = 'connector._connector'
const normEpsilon = 1e-5

/**
 * The group resampler: from features of one clip (tokens, vision hidden) to visual tokens (groups · latents, hidden). The
 * tokens are split into consecutive groups; in each, the learned latents attend to the group's tokens and to themselves.
 * All groups run in one dispatch; shorter ones are padded with keys that a length mask hides.
 */
export function groupResampler(
  pass: Pass,
  weights: ParameterSet,
  shape: ConnectorShape,
  features: Tensor,
): Tensor {
  const { recording } = pass
  const { groups, latents: count, heads, headSize } = shape
  const at = (name: string) => parameter(weights, `${prefix}.${name}`)
  const runs = split(features.shape[0], groups)
  const longest = Math.max(...runs.map(run => run.length))
  const keyRows = count + longest
  const media = linear(pass, features, at('linear.weight'), { bias: at('linear.bias') })
  const learned = at('latents')
  const hidden = learned.shape[1]
  let latents = pass.output('latents', [groups * count, hidden], [], [learned])
  gatherInto(
    pass,
    learned,
    latents,
    Array.from({ length: groups * count }, (_, to) => ({ to, from: to % count })),
  )
  const lengths = recording.constant(
    'key lengths',
    [groups],
    Uint32Array.from(runs, run => count + run.length),
  )
  const norm = (x: Tensor, name: string, type: FloatType = recording.factorType) =>
    layerNorm(pass, x, {
      gain: at(`${name}.weight`),
      bias: at(`${name}.bias`),
      epsilon: normEpsilon,
      type,
    })

  for (let i = 0; i < shape.layers; i++) {
    const z = norm(latents, `layers.${i}.0.norm_latents`)
    const keyWeight = at(`layers.${i}.0.to_kv.weight`)
    const fromMedia = linear(pass, norm(media, `layers.${i}.0.norm_media`), keyWeight)
    const fromLatents = linear(pass, z, keyWeight)
    // The keys of a group: its latents, its tokens, then zeros up to the length of the longest group.
    const keys = pass.output(
      'keys and values',
      [groups * keyRows, 2 * heads * headSize],
      [fromMedia, fromLatents],
    )
    gatherInto(pass, fromLatents, keys, latentRows(groups, count, keyRows))
    gatherInto(pass, fromMedia, keys, mediaRows(runs, count, keyRows))
    const attended = attention(pass, {
      queries: { tensor: linear(pass, z, at(`layers.${i}.0.to_q.weight`)) },
      keys: { tensor: keys },
      values: { tensor: keys, column: heads * headSize },
      batches: groups,
      rows: count,
      keyRows,
      heads,
      keyValueHeads: heads,
      headSize,
      scale: headSize ** -0.5,
      mask: { kind: 'lengths', lengths },
    })
    latents = linear(pass, attended, at(`layers.${i}.0.to_out.weight`), { residual: latents })
    const wide = linear(pass, norm(latents, `layers.${i}.1.0`), at(`layers.${i}.1.1.weight`))
    const narrow = at(`layers.${i}.1.3.weight`)
    latents = linear(pass, activation(pass, 'gelu-erf', wide), narrow, { residual: latents })
  }
  const out = norm(latents, 'norm', 'f32')
  const rows = visualTokens(shape)
  addTable(recording, {
    x: out,
    table: recording.constant('positional table', [rows, hidden], cachedTable(rows, hidden)),
  })
  return out
}

/** The table is computed once: its million sines and cosines take longer than recording all other parts. */
function cachedTable(rows: number, columns: number): Float32Array<ArrayBuffer> {
  const key = `${rows} ${columns}`
  const table = tables.get(key) ?? positionalTable(rows, columns)
  tables.set(key, table)
  return table
}

const tables = new Map<string, Float32Array<ArrayBuffer>>()

/** sin (even columns) and cos (odd columns) of p · 10000^(−2i / columns), rounded to float16 as in the released system (Vaswani et al., arXiv:1706.03762, 3.5). */
export function positionalTable(rows: number, columns: number): Float32Array<ArrayBuffer> {
  const value = (p: number, c: number): number => {
    // Each step is rounded as there: some values are so near the middle of two float16 that this decides between them.
    const exponent = Math.fround((c - (c % 2)) * Math.fround(-Math.log(10000) / columns))
    const angle = Math.fround(p * Math.fround(Math.exp(exponent)))
    return roundToFloat16(Math.fround(c % 2 === 0 ? Math.sin(angle) : Math.cos(angle)))
  }
  return Float32Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns))
}

/** Consecutive ranges of nearly equal length; if `groups` does not divide `total`, the first ones are longer by one. */
function split(total: number, groups: number): { start: number; length: number }[] {
  const base = Math.floor(total / groups)
  const longer = total % groups
  return Array.from({ length: groups }, (_, g) => {
    return { start: g * base + Math.min(g, longer), length: base + (g < longer ? 1 : 0) }
  })
}

function latentRows(groups: number, count: number, keyRows: number): RowPair[] {
  return Array.from({ length: groups * count }, (_, from) => {
    return { to: Math.floor(from / count) * keyRows + (from % count), from }
  })
}

function mediaRows(
  runs: readonly { start: number; length: number }[],
  count: number,
  keyRows: number,
): RowPair[] {
  return runs.flatMap(({ start, length }, g) =>
    Array.from({ length: keyRows - count }, (_, i) => {
      return { to: g * keyRows + count + i, from: i < length ? start + i : -1 }
    }),
  )
}

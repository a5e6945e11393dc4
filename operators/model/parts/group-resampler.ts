// connector.group-resampler: learned latents read groups of frames (TinyLLaVA-Video, arXiv:2501.15513).
// connector.naive-resampler: one group, with positions at the features instead of the visual tokens.
import { at as element } from '../../../engine/shared/at.ts'
import { roundToFloat16 } from '../../../kernels/device/float16.ts'
import type { FloatType, Tensor } from '../../../kernels/device/tensor.ts'
import { addTable } from '../../../kernels/elementwise/activations.ts'
import { activation } from '../../../kernels/layers/activation.ts'
import { attention } from '../../../kernels/layers/attention.ts'
import { gatherInto, type RowPair } from '../../../kernels/layers/gather.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { layerNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Connector } from '../../../kernels/networks/shape.ts'
import type { Recording } from '../../../kernels/plan/recording.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { affine, type ConnectorEnds, type Part, type Shape } from './part.ts'

export interface ResamplerSizes {
  /** Groups of frames that the clip's tokens are divided into. */
  readonly groups: number
  /** Learned latents of one group, shared by all groups. */
  readonly latents: number
  /** Visual tokens of a clip: groups × latents, less than `num_queries` when that does not divide. */
  readonly queries: number
  /** Where the code of positions is added: to the projected features, or to the visual tokens. */
  readonly positionsAt: 'features' | 'tokens'
  readonly layers: number
  readonly heads: number
  readonly headSize: number
  /** Width of the feed-forward part. */
  readonly intermediate: number
  readonly normEpsilon: number
}

export interface ResamplerPart extends Part<Connector> {
  readonly kind: 'group-resampler' | 'naive-resampler'
  readonly sizes: ResamplerSizes
}

export function groupResampler(fields: ConfigFields, ends: ConnectorEnds): ResamplerPart {
  const groups = fields.integer('group', { minimum: 1, maximum: 2 ** 16 })
  return resampler('group-resampler', groups, fields, ends)
}

/** All tokens of a clip are one group. The published class ignores `group`. */
export const naiveResampler = (fields: ConfigFields, ends: ConnectorEnds): ResamplerPart =>
  resampler('naive-resampler', 1, fields, ends)

function resampler(
  kind: ResamplerPart['kind'],
  groups: number,
  fields: ConfigFields,
  { tower, language }: ConnectorEnds,
): ResamplerPart {
  const queries = fields.integer('num_queries', { minimum: 1, maximum: 2 ** 16 })
  if (queries < groups)
    fields.problem('num_queries', `must be at least one for each of ${groups} groups, got ${queries}`)
  const latents = Math.floor(queries / groups)
  const sizes: ResamplerSizes = {
    groups,
    latents,
    queries: groups * latents,
    positionsAt: kind === 'naive-resampler' ? 'features' : 'tokens',
    layers: fields.integer('num_resampler_layers', { minimum: 1, maximum: 1000, fallback: 3 }),
    // The released module has these in its code, not in config.json.
    heads: 8,
    headSize: 64,
    intermediate: 4 * language.hidden,
    normEpsilon: 1e-5,
  }
  const all = new Map(tensors(sizes, tower.hidden, language.hidden))
  return {
    kind,
    sizes,
    network: resamplerNetwork(sizes),
    tensors: all,
    stored: all,
    isUnused: () => false,
  }
}

export const resamplerNetwork = (sizes: ResamplerSizes): Connector => ({
  layers: sizes.layers,
  visualTokens: () => sizes.queries,
  record: (pass, weights, features) => record(pass, weights, sizes, features),
})

const prefix = 'connector._connector.'

function* tensors(
  { latents, layers, heads, headSize, intermediate }: ResamplerSizes,
  visionHidden: number,
  hidden: number,
): Generator<[string, Shape]> {
  const inner = heads * headSize
  yield [`${prefix}latents`, [latents, hidden]]
  yield* affine(`${prefix}linear`, [hidden, visionHidden])
  for (let i = 0; i < layers; i++) {
    const attention = `${prefix}layers.${i}.0.`
    const feedForward = `${prefix}layers.${i}.1.`
    for (const norm of ['norm_media', 'norm_latents']) yield* affine(attention + norm, [hidden])
    yield [`${attention}to_q.weight`, [inner, hidden]]
    yield [`${attention}to_kv.weight`, [2 * inner, hidden]]
    yield [`${attention}to_out.weight`, [hidden, inner]]
    yield* affine(`${feedForward}0`, [hidden])
    yield [`${feedForward}1.weight`, [intermediate, hidden]]
    yield [`${feedForward}3.weight`, [hidden, intermediate]]
  }
  yield* affine(`${prefix}norm`, [hidden])
}

/**
 * The group resampler: from features of one clip (tokens, vision hidden) to visual tokens (groups · latents, hidden). The
 * tokens are split into consecutive groups; in each, the learned latents attend to the group's tokens and to themselves.
 * All groups run in one dispatch; shorter ones are padded with keys that a length mask hides.
 */
function record(pass: Pass, weights: ParameterSet, sizes: ResamplerSizes, features: Tensor): Tensor {
  const { recording } = pass
  const { groups, latents: count, heads, headSize, normEpsilon, positionsAt } = sizes
  const at = (name: string) => parameter(weights, prefix + name)
  const runs = split(element(features.shape, 0), groups)
  const longest = Math.max(...runs.map(run => run.length))
  const keyRows = count + longest
  const media = linear(pass, features, at('linear.weight'), { bias: at('linear.bias') })
  if (positionsAt === 'features') addPositions(recording, media)
  const learned = at('latents')
  const hidden = element(learned.shape, 1)
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

  for (let i = 0; i < sizes.layers; i++) {
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
  if (positionsAt === 'tokens') addPositions(recording, out)
  return out
}

function addPositions(recording: Recording, x: Tensor): void {
  const [rows, columns] = [element(x.shape, 0), element(x.shape, 1)]
  const table = recording.constant('positional table', [rows, columns], cachedTable(rows, columns))
  addTable(recording, { x, table })
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

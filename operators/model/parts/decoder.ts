// Blocks that the language models share: RMS norm, rotary attention, a gated feed-forward half.
import { isObject } from '../../../engine/shared/json.ts'
import { streamsInBlocks, streamsInTurn } from '../../../kernels/attention/pick-angles.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { rmsNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { block } from '../../../kernels/layers/recompute.ts'
import { rope } from '../../../kernels/layers/rope.ts'
import { lastNorm, layerWeight } from '../../../kernels/networks/language-weights.ts'
import type { ParameterSet } from '../../../kernels/networks/parameters.ts'
import type { LanguageModel, LanguageOptions, LanguageShape } from '../../../kernels/networks/shape.ts'
import { type ConfigFields, shown } from '../checkpoint/config-fields.ts'
import { affine, type Part, type Shape } from './part.ts'

export interface DecoderSizes extends LanguageShape {
  readonly intermediate: number
  readonly maxPositions: number
}

export interface DecoderPart extends Part<LanguageModel> {
  readonly sizes: DecoderSizes
}

/** The values that a library fills in where a configuration leaves out a key. */
export interface DecoderDefaults {
  hidden: number
  intermediate: number
  layers: number
  heads: number
  /** Undefined: as many as query heads. */
  keyValueHeads?: number
  /** Undefined: hidden / heads. */
  headSize?: number
  vocabulary: number
  maxPositions: number
  /** By default 10000. */
  ropeTheta?: number
  /** By default 1e-6. */
  normEpsilon?: number
}

/** Those that Qwen2Config and Qwen3Config share. */
export const qwenDefaults = {
  hidden: 4096,
  intermediate: 22016,
  layers: 32,
  heads: 32,
  keyValueHeads: 32,
  vocabulary: 151936,
  maxPositions: 32768,
}

/** In what the blocks of one language model differ from those of another. */
export interface DecoderKind {
  /** Queries, keys and values have biases. */
  biased?: boolean
  headsNormed?: boolean
  /** `dynamic` rotations may be named. */
  isDynamic?: boolean
  /** Tokens have three positions, of which pairs of a head turn by one each: in turn, or in blocks. */
  sections?: 'in turn' | 'in blocks'
}

export function decoderPart(kind: string, sizes: DecoderSizes): DecoderPart {
  const all = new Map(tensors(sizes))
  return {
    kind,
    sizes,
    network: {
      ...sizes,
      fastSteps: true,
      record: (pass, weights, options) => record(pass, weights, sizes, options),
    },
    tensors: all,
    stored: all,
    isUnused: name =>
      name.endsWith('.rotary_emb.inv_freq') || (sizes.tied && name === `${prefix}lm_head.weight`),
  }
}

/** Sizes in the spelling that Llama and its successors share. */
export function parseDecoder(
  fields: ConfigFields,
  defaults: DecoderDefaults,
  { biased = false, headsNormed = false, isDynamic = false, sections: order }: DecoderKind = {},
): DecoderSizes {
  fields.only('hidden_act', 'silu')
  fields.only('attention_dropout', 0)
  checkLayerTypes(fields)
  const { ropeTheta, sections } = parseRope(fields, defaults, { isDynamic, order })
  const hidden = fields.integer('hidden_size', { minimum: 1, fallback: defaults.hidden })
  const heads = fields.integer('num_attention_heads', { minimum: 1, fallback: defaults.heads })
  // Null means as many as query heads; a missing key means the library's default.
  const implied = fields.isNull('num_key_value_heads') ? heads : (defaults.keyValueHeads ?? heads)
  const keyValueHeads = fields.integer('num_key_value_heads', { minimum: 1, fallback: implied })
  if (heads % keyValueHeads)
    fields.problem('num_key_value_heads', `must divide ${heads} query heads, got ${keyValueHeads}`)
  const fallback = defaults.headSize ?? Math.floor(hidden / heads)
  const headSize = fields.integer('head_dim', { minimum: 1, fallback })
  if (headSize % 2) fields.problem('head_dim', `must be even to be rotated in pairs, got ${headSize}`)
  if (sections && sections.reduce((sum, one) => sum + one, 0) !== headSize / 2)
    fields.problem(
      'mrope_section',
      `must be three numbers of pairs, ${headSize / 2} in all, got ${shown(sections)}`,
    )
  return {
    hidden,
    heads,
    keyValueHeads,
    headSize,
    intermediate: fields.integer('intermediate_size', { minimum: 1, fallback: defaults.intermediate }),
    layers: fields.integer('num_hidden_layers', { minimum: 1, maximum: 1000, fallback: defaults.layers }),
    vocabulary: fields.integer('vocab_size', { minimum: 1, fallback: defaults.vocabulary }),
    ropeTheta,
    normEpsilon: fields.number('rms_norm_eps', { minimum: 0, fallback: defaults.normEpsilon ?? 1e-6 }),
    tied: fields.boolean('tie_word_embeddings', false),
    maxPositions: fields.integer('max_position_embeddings', { minimum: 1, fallback: defaults.maxPositions }),
    biased,
    headsNormed,
    ...(sections && { streams: order === 'in turn' ? streamsInTurn(sections) : streamsInBlocks(sections) }),
  }
}

function checkLayerTypes(fields: ConfigFields): void {
  const found = fields.raw('layer_types') ?? []
  if (Array.isArray(found) && found.every(type => type === 'full_attention')) return
  fields.problem(
    'layer_types',
    `${JSON.stringify(found)} is not supported; every layer must be full_attention`,
    'unsupported-model',
  )
}

/** The base of the rotations and what turns by which position, from either spelling of transformers. */
function parseRope(
  fields: ConfigFields,
  defaults: DecoderDefaults,
  kind: RopeKind,
): { ropeTheta: number; sections?: readonly number[] } {
  const scaling = fields.object('rope_scaling')
  checkRope(scaling, kind)
  fields.only('partial_rotary_factor', 1)
  const rope = fields.object('rope_parameters')
  checkRope(rope, kind)
  if ([fields.raw('rope_scaling'), fields.raw('rope_parameters')].every(isStated))
    fields.problem(
      'rope_scaling',
      'must not be beside rope_parameters, which transformers then does not read',
    )
  const theta = { minimum: 1, maximum: 1e12 }
  const ropeTheta = rope.has('rope_theta')
    ? rope.number('rope_theta', theta)
    : fields.number('rope_theta', { ...theta, fallback: defaults.ropeTheta ?? 10000 })
  // transformers 5 takes it from here, older versions from its own key: both must say the same
  scaling.only('rope_theta', ropeTheta)
  if (!kind.order) return { ropeTheta }
  const fallback = kind.order === 'in turn' ? [24, 20, 20] : [16, 24, 24]
  return { ropeTheta, sections: sectionsOf(rope.has('mrope_section') ? rope : scaling, fallback) }
}

const isStated = (found: unknown): boolean => isObject(found) && Object.keys(found).length > 0

/** Pairs of a head that turn by time, row and column. */
function sectionsOf(rope: ConfigFields, fallback: readonly number[]): readonly number[] {
  const found = rope.raw('mrope_section') ?? fallback
  const isSize = (one: unknown): one is number => Number.isSafeInteger(one) && Number(one) >= 0
  if (Array.isArray(found) && found.length === 3 && found.every(isSize)) return found
  rope.problem('mrope_section', `must be three numbers of pairs, got ${shown(found)}`)
  return fallback
}

interface RopeKind {
  isDynamic: boolean
  order: DecoderKind['sections']
}

/**
 * Rotary positions in both spellings of transformers (`type` before version 4.45, `rope_type` since): the plain kind, and
 * if `isDynamic` also `dynamic`, which rotates as that does up to `max_position_embeddings`, where our prompts end. Pairs that turn in blocks were first called `mrope`.
 */
function checkRope(rope: ConfigFields, { isDynamic, order }: RopeKind): void {
  const kinds = ['default', ...(isDynamic ? ['dynamic'] : []), ...(order === 'in blocks' ? ['mrope'] : [])]
  rope.only('rope_type', ...kinds)
  rope.only('type', ...kinds)
  if (!rope.has('rope_type') && !rope.has('type')) rope.only('factor', 1)
  rope.only('partial_rotary_factor', 1)
  if (order === 'in turn') rope.oneOf('mrope_interleaved', [true], true)
  else if (order) rope.only('mrope_interleaved', false)
  else rope.only('mrope_section')
  for (const layer of ['full_attention', 'sliding_attention']) rope.only(layer)
}

const prefix = 'language_model.'

function* tensors(sizes: DecoderSizes): Generator<[string, Shape]> {
  const { hidden, intermediate, layers, heads, keyValueHeads, headSize, vocabulary } = sizes
  const { tied, biased, headsNormed } = sizes
  const inner = { q: heads * headSize, k: keyValueHeads * headSize, v: keyValueHeads * headSize }
  yield [`${prefix}model.embed_tokens.weight`, [vocabulary, hidden]]
  for (let i = 0; i < layers; i++) {
    const at = `${prefix}model.layers.${i}.`
    yield [`${at}input_layernorm.weight`, [hidden]]
    for (const [part, width] of Object.entries(inner)) {
      const name = `${at}self_attn.${part}_proj`
      if (biased) yield* affine(name, [width, hidden])
      else yield [`${name}.weight`, [width, hidden]]
    }
    if (headsNormed) for (const part of ['q', 'k']) yield [`${at}self_attn.${part}_norm.weight`, [headSize]]
    yield [`${at}self_attn.o_proj.weight`, [hidden, heads * headSize]]
    yield [`${at}post_attention_layernorm.weight`, [hidden]]
    yield [`${at}mlp.gate_proj.weight`, [intermediate, hidden]]
    yield [`${at}mlp.up_proj.weight`, [intermediate, hidden]]
    yield [`${at}mlp.down_proj.weight`, [hidden, intermediate]]
  }
  yield [`${prefix}model.norm.weight`, [hidden]]
  if (!tied) yield [`${prefix}lm_head.weight`, [vocabulary, hidden]]
}

/** Hidden states (rows, hidden) after the last norm. */
function record(
  pass: Pass,
  weights: ParameterSet,
  sizes: DecoderSizes,
  { embeddings, rotation, attend, recompute = 'none', attendedType = 'f32', after }: LanguageOptions,
): Tensor {
  const { heads, keyValueHeads, headSize, normEpsilon, biased, headsNormed } = sizes
  const type = pass.recording.factorType
  let x = embeddings
  for (let i = 0; i < sizes.layers; i++) {
    const at = (name: string) => layerWeight(weights, i, name)
    const attended = (input: Tensor, name: string, type = attendedType) => {
      const bias = biased ? at(`${name}.bias`) : undefined
      return linear(pass, input, at(`${name}.weight`), { bias, type })
    }
    const turned = (input: Tensor, part: 'q' | 'k', count: number) => {
      const name = `self_attn.${part}`
      const plain = attended(input, `${name}_proj`, headsNormed ? 'f32' : attendedType)
      const x = headsNormed
        ? rmsNorm(pass, plain, at(`${name}_norm.weight`), normEpsilon, attendedType)
        : plain
      rope(pass, x, rotation, count, headSize)
      return x
    }
    const attentionHalf = (from: Tensor): Tensor => {
      const h = rmsNorm(pass, from, at('input_layernorm.weight'), normEpsilon, type)
      const queries = turned(h, 'q', heads)
      const keys = turned(h, 'k', keyValueHeads)
      const values = attended(h, 'self_attn.v_proj')
      const mixed = attend(i, queries, keys, values)
      return linear(pass, mixed, at('self_attn.o_proj.weight'), { residual: from })
    }
    const feedForwardHalf = (from: Tensor): Tensor => {
      const z = rmsNorm(pass, from, at('post_attention_layernorm.weight'), normEpsilon, type)
      const gate = linear(pass, z, at('mlp.gate_proj.weight'), { type })
      const gated = linear(pass, z, at('mlp.up_proj.weight'), { type, gate })
      return linear(pass, gated, at('mlp.down_proj.weight'), { residual: from })
    }
    x = block(pass, recompute, x, attentionHalf, feedForwardHalf)
    if (after) x = after(i, x)
  }
  return rmsNorm(pass, x, lastNorm(weights), normEpsilon)
}

// tower.siglip: the vision tower of SigLIP (Zhai et al., arXiv:2303.15343), up to one of its hidden states.
import { at as element } from '../../../engine/shared/at.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { addTable } from '../../../kernels/elementwise/activations.ts'
import { type LinearOptions, linear } from '../../../kernels/layers/linear.ts'
import { layerNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Tower } from '../../../kernels/networks/shape.ts'
import { patches } from '../../../kernels/pixels/patches.ts'
import { columnSum } from '../../../kernels/rows/column-sum.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { joined, selfAttention } from './joined.ts'
import { affine, type Part, type Shape, type TowerUse } from './part.ts'

export interface SiglipSizes {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly headSize: number
  /** Side of the square frames, pixels. */
  readonly imageSize: number
  readonly patchSize: number
  readonly channels: number
  /** Patches of a frame: rows and columns of pixels that fill no whole patch are ignored. */
  readonly tokens: number
  readonly normEpsilon: number
  readonly activation: keyof typeof activations
  /** Blocks to run: index of the chosen hidden state, where 0 is the embedding and k the output of block k. */
  readonly featureLayer: number
  /** `patch` drops each frame's first token, `cls_patch` keeps all. */
  readonly select: 'patch' | 'cls_patch'
  /** Whether the last norm follows. */
  readonly normed: boolean
}

export interface SiglipPart extends Part<Tower> {
  readonly kind: 'siglip'
  readonly sizes: SiglipSizes
}

const activations = { gelu_pytorch_tanh: 'gelu-tanh', gelu: 'gelu-erf' } as const

/** Absent keys get the defaults of SiglipVisionConfig. */
export function siglip(fields: ConfigFields, use: TowerUse): SiglipPart {
  const sizes = parse(fields, use)
  const { hidden, heads, tokens, imageSize, channels, featureLayer: blocks } = sizes
  return {
    kind: 'siglip',
    sizes,
    network: {
      hidden,
      blocks,
      imageSize,
      channels,
      tokens,
      frameTokens: tokens - (sizes.select === 'patch' ? 1 : 0),
      scoreBytes: heads * tokens ** 2 * 4,
      record: (pass, weights, pixels) => record(pass, weights, sizes, pixels),
    },
    tensors: new Map(tensors(sizes, blocks)),
    stored: new Map([...tensors(sizes, sizes.layers), ...unusedTensors(sizes)]),
    isUnused: name => isUnused(name, sizes),
  }
}

function parse(fields: ConfigFields, use: TowerUse): SiglipSizes {
  fields.only('model_type', ...use.modelTypes)
  fields.only('attention_dropout', 0)
  const hidden = fields.integer('hidden_size', { minimum: 1, fallback: 768 })
  const heads = fields.integer('num_attention_heads', { minimum: 1, fallback: 12 })
  const imageSize = fields.integer('image_size', { minimum: 1, maximum: 2 ** 14, fallback: 224 })
  const patchSize = fields.integer('patch_size', { minimum: 1, fallback: 16 })
  if (hidden % heads) fields.problem('hidden_size', `must be a multiple of ${heads} heads, got ${hidden}`)
  if (imageSize < patchSize)
    fields.problem('image_size', `must hold a patch of ${patchSize}, got ${imageSize}`)
  const layers = fields.integer('num_hidden_layers', { minimum: 1, maximum: 1000, fallback: 12 })
  return {
    hidden,
    heads,
    headSize: hidden / heads,
    imageSize,
    patchSize,
    tokens: Math.floor(imageSize / patchSize) ** 2,
    intermediate: fields.integer('intermediate_size', { minimum: 1, fallback: 3072 }),
    layers,
    channels: fields.oneOf('num_channels', [3], 3),
    normEpsilon: fields.number('layer_norm_eps', { minimum: 0, fallback: 1e-6 }),
    activation: fields.oneOf('hidden_act', ['gelu_pytorch_tanh', 'gelu'], 'gelu_pytorch_tanh'),
    featureLayer: use.layer(layers),
    select: use.select,
    normed: use.normed,
  }
}

const prefix = 'vision_tower._vision_tower.vision_model.'

function* tensors(
  { hidden, intermediate, channels, patchSize, tokens, normed }: SiglipSizes,
  blocks: number,
): Generator<[string, Shape]> {
  yield* affine(`${prefix}embeddings.patch_embedding`, [hidden, channels, patchSize, patchSize])
  yield [`${prefix}embeddings.position_embedding.weight`, [tokens, hidden]]
  for (let i = 0; i < blocks; i++) {
    const block = `${prefix}encoder.layers.${i}.`
    for (const norm of ['layer_norm1', 'layer_norm2']) yield* affine(block + norm, [hidden])
    for (const part of ['q', 'k', 'v', 'out'])
      yield* affine(`${block}self_attn.${part}_proj`, [hidden, hidden])
    yield* affine(`${block}mlp.fc1`, [intermediate, hidden])
    yield* affine(`${block}mlp.fc2`, [hidden, intermediate])
  }
  if (normed) yield* affine(`${prefix}post_layernorm`, [hidden])
}

/** The last norm and the pooling head, which released checkpoints store. */
function* unusedTensors({ hidden, intermediate, normed }: SiglipSizes): Generator<[string, Shape]> {
  if (normed) return
  yield* affine(`${prefix}post_layernorm`, [hidden])
  yield [`${prefix}head.probe`, [1, 1, hidden]]
  yield [`${prefix}head.attention.in_proj_weight`, [3 * hidden, hidden]]
  yield [`${prefix}head.attention.in_proj_bias`, [3 * hidden]]
  yield* affine(`${prefix}head.attention.out_proj`, [hidden, hidden])
  yield* affine(`${prefix}head.layernorm`, [hidden])
  yield* affine(`${prefix}head.mlp.fc1`, [intermediate, hidden])
  yield* affine(`${prefix}head.mlp.fc2`, [hidden, intermediate])
}

/** The pooling head, the last norm, blocks past the feature layer, and positions that old library versions saved. */
function isUnused(name: string, { featureLayer, layers, normed }: SiglipSizes): boolean {
  if (name === `${prefix}embeddings.position_ids` || name.startsWith(`${prefix}head.`)) return true
  if (name.startsWith(`${prefix}post_layernorm.`)) return !normed
  const block = name.startsWith(`${prefix}encoder.layers.`)
    ? name.slice(`${prefix}encoder.layers.`.length)
    : ''
  const index = Number(/^\d+(?=\.)/.exec(block)?.[0] ?? -1)
  return index >= featureLayer && index < layers
}

function record(pass: Pass, weights: ParameterSet, sizes: SiglipSizes, pixels: Tensor): Tensor {
  const { recording } = pass
  const frames = element(pixels.shape, 0)
  const at = (name: string) => parameter(weights, prefix + name)
  const patchWeights = sizes.channels * sizes.patchSize ** 2
  const patched = recording.tensor('patches', [frames * sizes.tokens, patchWeights])
  patches(recording, { pixels, out: patched, patch: sizes.patchSize })
  let x = linear(pass, patched, at('embeddings.patch_embedding.weight'), {
    bias: at('embeddings.patch_embedding.bias'),
  })
  const positions = at('embeddings.position_embedding.weight')
  addTable(recording, { x, table: positions.value })
  // Each row of the table was added to a row of every frame, so its gradient sums over the frames.
  pass.onBackward(x, dx => {
    if (positions.gradient) columnSum(recording, { x: dx, out: positions.gradient })
  })
  for (let i = 0; i < sizes.featureLayer; i++)
    x = block(pass, sizes, frames, x, name => at(`encoder.layers.${i}.${name}`))
  if (!sizes.normed) return x
  const [gain, bias] = [at('post_layernorm.weight'), at('post_layernorm.bias')]
  return layerNorm(pass, x, { gain, bias, epsilon: sizes.normEpsilon, type: 'f32' })
}

function block(
  pass: Pass,
  sizes: SiglipSizes,
  frames: number,
  x: Tensor,
  at: (name: string) => ReturnType<typeof parameter>,
): Tensor {
  const { heads, headSize, hidden, normEpsilon } = sizes
  const type = pass.recording.factorType
  const project = (input: Tensor, name: string, options: LinearOptions = { type }) =>
    linear(pass, input, at(`${name}.weight`), { bias: at(`${name}.bias`), ...options })
  const norm = (input: Tensor, name: string) =>
    layerNorm(pass, input, {
      gain: at(`${name}.weight`),
      bias: at(`${name}.bias`),
      epsilon: normEpsilon,
      type,
    })
  const h = norm(x, 'layer_norm1')
  const names = ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj']
  const columns = joined(pass, h, { names, at, width: hidden })
  const attended = selfAttention(pass, columns, { batches: frames, heads, headSize })
  const y = project(attended, 'self_attn.out_proj', { residual: x })
  const z = norm(y, 'layer_norm2')
  const wide = project(z, 'mlp.fc1', { type, activation: activations[sizes.activation] })
  return project(wide, 'mlp.fc2', { residual: y })
}

// tower.internvit: the vision tower of InternVL (Chen et al., arXiv:2312.14238): a class token, layer scale, no last norm.
import { at as element } from '../../../engine/shared/at.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { addTable } from '../../../kernels/elementwise/activations.ts'
import { gatherInto } from '../../../kernels/layers/gather.ts'
import { layerScale } from '../../../kernels/layers/layer-scale.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { layerNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Tower } from '../../../kernels/networks/shape.ts'
import { patches } from '../../../kernels/pixels/patches.ts'
import { columnSum } from '../../../kernels/rows/column-sum.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { joined, selfAttention } from './joined.ts'
import { affine, type Part, type Shape, type TowerUse } from './part.ts'

export interface InternVitSizes {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  /** Side of the square frames, pixels. */
  readonly imageSize: number
  readonly patchSize: number
  readonly normEpsilon: number
  /** Whether a file holds the projections of queries, keys and values as one matrix. */
  readonly fused: boolean
}

export interface InternVitPart extends Part<Tower> {
  readonly kind: 'internvit'
  readonly sizes: InternVitSizes
}

const channels = 3

/** Reads the keys of InternVLVisionConfig; absent ones get its defaults. Its features are the last block's, without the class token. */
export function internVit(fields: ConfigFields, use?: TowerUse): InternVitPart {
  fields.only('model_type', 'internvl_vision')
  // Absent, there are no biases: InternVL3 has them.
  fields.oneOf('attention_bias', [true], false)
  fields.only('use_qk_norm', false)
  fields.only('use_mask_token', false)
  fields.only('use_mean_pooling', true)
  fields.only('use_absolute_position_embeddings', true)
  const part = internVitPart(fields, false)
  const { layers } = part.sizes
  if (use && (use.layer(layers) !== layers || use.select !== 'patch' || use.normed))
    fields.problem('num_hidden_layers', 'features must be those of the last block, without the class token')
  return part
}

/** The keys that both spellings of the configuration share. */
export function internVitPart(fields: ConfigFields, fused: boolean): InternVitPart {
  for (const key of ['hidden_dropout_prob', 'attention_dropout', 'projection_dropout']) fields.only(key, 0)
  fields.only('norm_type', 'layer_norm')
  fields.only('hidden_act', 'gelu')
  fields.only('num_channels', channels)
  const hidden = fields.integer('hidden_size', { minimum: 1, fallback: 1024 })
  const heads = fields.integer('num_attention_heads', { minimum: 1, fallback: 16 })
  if (hidden % heads) fields.problem('hidden_size', `must be a multiple of ${heads} heads, got ${hidden}`)
  const [imageSize, patchSize] = [sideOf(fields, 'image_size', 448), sideOf(fields, 'patch_size', 14)]
  if (imageSize < patchSize)
    fields.problem('image_size', `must hold a patch of ${patchSize}, got ${imageSize}`)
  const sizes: InternVitSizes = {
    hidden,
    heads,
    imageSize,
    patchSize,
    intermediate: fields.integer('intermediate_size', { minimum: 1, fallback: 4096 }),
    layers: fields.integer('num_hidden_layers', { minimum: 1, maximum: 1000, fallback: 24 }),
    normEpsilon: fields.number('layer_norm_eps', { minimum: 0, fallback: 1e-6 }),
    fused,
  }
  const frameTokens = Math.floor(imageSize / patchSize) ** 2
  const all = new Map(tensors(sizes, frameTokens))
  return {
    kind: 'internvit',
    sizes,
    network: {
      hidden,
      blocks: sizes.layers,
      imageSize,
      channels,
      tokens: frameTokens + 1,
      frameTokens,
      scoreBytes: heads * (frameTokens + 1) ** 2 * 4,
      record: (pass, weights, pixels) => record(pass, weights, sizes, pixels),
    },
    tensors: all,
    stored: all,
    isUnused: () => false,
  }
}

/** The side of a square, written as one number or as height and width. */
function sideOf(fields: ConfigFields, key: string, fallback: number): number {
  const found = fields.raw(key) ?? fallback
  const [side, other]: unknown[] = Array.isArray(found) ? found : [found, found]
  if (typeof side === 'number' && Number.isSafeInteger(side) && side > 0 && side <= 2 ** 14 && other === side)
    return side
  fields.problem(
    key,
    `must be the pixels of the side of a square, at most ${2 ** 14}, got ${JSON.stringify(found)}`,
  )
  return fallback
}

const prefix = 'vision_tower._vision_tower.'
const projections = ['q', 'k', 'v'].map(part => `attention.${part}_proj`)
const fusedProjection = 'attention.qkv'

function* tensors(
  { hidden, intermediate, layers, patchSize, fused }: InternVitSizes,
  patchCount: number,
): Generator<[string, Shape]> {
  yield [`${prefix}embeddings.cls_token`, [1, 1, hidden]]
  yield [`${prefix}embeddings.position_embeddings`, [1, patchCount + 1, hidden]]
  yield* affine(`${prefix}embeddings.patch_embeddings.projection`, [hidden, channels, patchSize, patchSize])
  for (let i = 0; i < layers; i++) {
    const block = `${prefix}encoder.layers.${i}.`
    for (const gain of ['lambda_1', 'lambda_2']) yield [block + gain, [hidden]]
    for (const norm of ['layernorm_before', 'layernorm_after']) yield* affine(block + norm, [hidden])
    if (fused) yield* affine(block + fusedProjection, [3 * hidden, hidden])
    else for (const name of projections) yield* affine(block + name, [hidden, hidden])
    yield* affine(`${block}attention.projection_layer`, [hidden, hidden])
    yield* affine(`${block}mlp.fc1`, [intermediate, hidden])
    yield* affine(`${block}mlp.fc2`, [hidden, intermediate])
  }
}

/** The tokens of each frame: its class, then its patches row by row. */
function record(pass: Pass, weights: ParameterSet, sizes: InternVitSizes, pixels: Tensor): Tensor {
  const { recording } = pass
  const { hidden, imageSize, patchSize } = sizes
  const at = (name: string) => parameter(weights, prefix + name)
  const frames = element(pixels.shape, 0)
  const count = Math.floor(imageSize / patchSize) ** 2
  const patched = recording.tensor('patches', [frames * count, channels * patchSize ** 2])
  patches(recording, { pixels, out: patched, patch: patchSize })
  const projection = 'embeddings.patch_embeddings.projection'
  const embedded = linear(pass, patched, at(`${projection}.weight`), { bias: at(`${projection}.bias`) })
  const [kind, positions] = [at('embeddings.cls_token'), at('embeddings.position_embeddings')]
  const start = pass.output('tokens of frames', [frames * (count + 1), hidden], [embedded], [kind, positions])
  const firsts = Array.from({ length: frames }, (_, frame) => frame * (count + 1))
  gatherInto(
    pass,
    kind,
    start,
    firsts.map(to => ({ to, from: 0 })),
  )
  const rows = Array.from({ length: frames * count }, (_, from) => {
    return { to: from + Math.floor(from / count) + 1, from }
  })
  gatherInto(pass, embedded, start, rows)
  addTable(recording, { x: start, table: positions.value })
  // Each row of the table was added to a row of every frame, so its gradient sums over the frames.
  pass.onBackward(start, dx => {
    if (positions.gradient) columnSum(recording, { x: dx, out: positions.gradient })
  })
  let x = start
  for (let i = 0; i < sizes.layers; i++)
    x = block(pass, sizes, frames, x, name => at(`encoder.layers.${i}.${name}`))
  return x
}

function block(
  pass: Pass,
  { heads, hidden, normEpsilon: epsilon, fused }: InternVitSizes,
  frames: number,
  x: Tensor,
  at: (name: string) => ReturnType<typeof parameter>,
): Tensor {
  const type = pass.recording.factorType
  const norm = (input: Tensor, name: string) =>
    layerNorm(pass, input, { gain: at(`${name}.weight`), bias: at(`${name}.bias`), epsilon, type })
  const project = (input: Tensor, name: string) =>
    linear(pass, input, at(`${name}.weight`), { bias: at(`${name}.bias`) })
  const names = fused ? [fusedProjection] : projections
  const columns = joined(pass, norm(x, 'layernorm_before'), { names, at, width: hidden })
  const attended = selfAttention(pass, columns, { batches: frames, heads, headSize: hidden / heads })
  const y = layerScale(pass, project(attended, 'attention.projection_layer'), at('lambda_1'), x)
  const fc1 = { bias: at('mlp.fc1.bias'), type, activation: 'gelu-erf' } as const
  const wide = linear(pass, norm(y, 'layernorm_after'), at('mlp.fc1.weight'), fc1)
  return layerScale(pass, project(wide, 'mlp.fc2'), at('lambda_2'), y)
}

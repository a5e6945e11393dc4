import type { ConnectorConfig, LanguageConfig, ModelConfig } from './config.ts'

export type Shape = readonly number[]

const vision = 'vision_tower._vision_tower.vision_model.'
const connector = 'connector._connector.'
const language = 'language_model.'

/** Names and shapes of the tensors that the model computes with, as released checkpoints store them; linear weights are (out, in). */
export function expectedTensors(config: ModelConfig): Map<string, Shape> {
  return new Map<string, Shape>([
    ...visionTensors(config),
    ...connectorTensors(config.connector, config.vision.hidden, config.language.hidden),
    ...languageTensors(config.language),
  ])
}

/** The same and the unused tensors of released checkpoints: blocks past the feature layer, the vision tower's last norm and pooling head. */
export function storedTensors(config: ModelConfig): Map<string, Shape> {
  const { hidden, intermediate, layers } = config.vision
  return new Map<string, Shape>([
    ...expectedTensors({ ...config, featureLayer: layers }),
    ...affine(`${vision}post_layernorm`, [hidden]),
    [`${vision}head.probe`, [1, 1, hidden]],
    [`${vision}head.attention.in_proj_weight`, [3 * hidden, hidden]],
    [`${vision}head.attention.in_proj_bias`, [3 * hidden]],
    ...affine(`${vision}head.attention.out_proj`, [hidden, hidden]),
    ...affine(`${vision}head.layernorm`, [hidden]),
    ...affine(`${vision}head.mlp.fc1`, [intermediate, hidden]),
    ...affine(`${vision}head.mlp.fc2`, [hidden, intermediate]),
  ])
}

/**
 * True for tensors that released checkpoints may store and the model does not compute with: the vision tower's
 * pooling head, final norm and blocks past the feature layer, the duplicate of a tied head, and buffers of constants
 * that old library versions saved.
 */
export function isUnusedTensor(
  name: string,
  { featureLayer, vision: { layers }, language: { tied } }: ModelConfig,
): boolean {
  if (name.endsWith('.rotary_emb.inv_freq') || name === `${vision}embeddings.position_ids`) return true
  if (name === `${language}lm_head.weight`) return tied
  if (name.startsWith(`${vision}head.`) || name.startsWith(`${vision}post_layernorm.`)) return true
  const block = name.startsWith(`${vision}encoder.layers.`)
    ? name.slice(`${vision}encoder.layers.`.length)
    : ''
  const index = Number(/^\d+(?=\.)/.exec(block)?.[0] ?? -1)
  return index >= featureLayer && index < layers
}

function* visionTensors({ vision: sizes, featureLayer }: ModelConfig): Generator<[string, Shape]> {
  const { hidden, intermediate, channels, patchSize, tokens } = sizes
  yield* affine(`${vision}embeddings.patch_embedding`, [hidden, channels, patchSize, patchSize])
  yield [`${vision}embeddings.position_embedding.weight`, [tokens, hidden]]
  for (let i = 0; i < featureLayer; i++) {
    const block = `${vision}encoder.layers.${i}.`
    for (const norm of ['layer_norm1', 'layer_norm2']) yield* affine(block + norm, [hidden])
    for (const part of ['q', 'k', 'v', 'out'])
      yield* affine(`${block}self_attn.${part}_proj`, [hidden, hidden])
    yield* affine(`${block}mlp.fc1`, [intermediate, hidden])
    yield* affine(`${block}mlp.fc2`, [hidden, intermediate])
  }
}

function* connectorTensors(
  sizes: ConnectorConfig,
  visionHidden: number,
  hidden: number,
): Generator<[string, Shape]> {
  const { latents, layers, heads, headSize, intermediate } = sizes
  const inner = heads * headSize
  yield [`${connector}latents`, [latents, hidden]]
  yield* affine(`${connector}linear`, [hidden, visionHidden])
  for (let i = 0; i < layers; i++) {
    const attention = `${connector}layers.${i}.0.`
    const feedForward = `${connector}layers.${i}.1.`
    for (const norm of ['norm_media', 'norm_latents']) yield* affine(attention + norm, [hidden])
    yield [`${attention}to_q.weight`, [inner, hidden]]
    yield [`${attention}to_kv.weight`, [2 * inner, hidden]]
    yield [`${attention}to_out.weight`, [hidden, inner]]
    yield* affine(`${feedForward}0`, [hidden])
    yield [`${feedForward}1.weight`, [intermediate, hidden]]
    yield [`${feedForward}3.weight`, [hidden, intermediate]]
  }
  yield* affine(`${connector}norm`, [hidden])
}

function* languageTensors(sizes: LanguageConfig): Generator<[string, Shape]> {
  const { hidden, intermediate, layers, heads, keyValueHeads, headSize, vocabulary, tied } = sizes
  yield [`${language}model.embed_tokens.weight`, [vocabulary, hidden]]
  for (let i = 0; i < layers; i++) {
    const block = `${language}model.layers.${i}.`
    yield [`${block}input_layernorm.weight`, [hidden]]
    yield* affine(`${block}self_attn.q_proj`, [heads * headSize, hidden])
    yield* affine(`${block}self_attn.k_proj`, [keyValueHeads * headSize, hidden])
    yield* affine(`${block}self_attn.v_proj`, [keyValueHeads * headSize, hidden])
    yield [`${block}self_attn.o_proj.weight`, [hidden, heads * headSize]]
    yield [`${block}post_attention_layernorm.weight`, [hidden]]
    yield [`${block}mlp.gate_proj.weight`, [intermediate, hidden]]
    yield [`${block}mlp.up_proj.weight`, [intermediate, hidden]]
    yield [`${block}mlp.down_proj.weight`, [hidden, intermediate]]
  }
  yield [`${language}model.norm.weight`, [hidden]]
  if (!tied) yield [`${language}lm_head.weight`, [vocabulary, hidden]]
}

/** A weight with a bias as long as its first extent. */
function* affine(name: string, shape: Shape): Generator<[string, Shape]> {
  yield [`${name}.weight`, shape]
  yield [`${name}.bias`, shape.slice(0, 1)]
}

/** A random checkpoint of awkward sizes with the numbers expected of it. */
export interface Case {
  name: string
  seed: number
  frames: number
  connector: 'groupresampler' | 'naiveresampler'
  group: number
  num_queries: number
  /** Layers of the connector. */
  depth: number
  dtype: 'float32' | 'float16' | 'bfloat16'
  shards: number
  layer: number
  select: 'patch' | 'cls_patch'
  /** Completions of the group, tokens of the longest. */
  G: number
  T: number
  /** Weight decay. */
  wd: number
  /** Positions of a spliced prompt. */
  maxLength: number
  /** The token that greedy decoding writes after this many becomes the end of text; null keeps the tokenizer's. */
  endAfter: number | null
  vision: {
    hidden_size: number
    intermediate_size: number
    num_hidden_layers: number
    num_attention_heads: number
    image_size: number
    patch_size: number
    layer_norm_eps: number
    hidden_act: 'gelu_pytorch_tanh' | 'gelu'
  }
  text: {
    hidden_size: number
    intermediate_size: number
    num_hidden_layers: number
    num_attention_heads: number
    num_key_value_heads: number
    head_dim: number
    vocab_size: number
    rope_theta: number
    tie_word_embeddings: boolean
    rms_norm_eps: number
    max_position_embeddings: number
  }
}

const usual = {
  connector: 'groupresampler',
  depth: 2,
  dtype: 'float32',
  shards: 1,
  T: 9,
  wd: 0,
  maxLength: 3072,
  endAfter: null,
} as const

const vision = {
  hidden_size: 18,
  intermediate_size: 29,
  num_hidden_layers: 3,
  num_attention_heads: 3,
  image_size: 23,
  patch_size: 7,
  layer_norm_eps: 1e-6,
  hidden_act: 'gelu_pytorch_tanh',
} as const

const text = {
  hidden_size: 30,
  intermediate_size: 37,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  num_key_value_heads: 1,
  head_dim: 10,
  vocab_size: 449,
  rope_theta: 1e6,
  tie_word_embeddings: true,
  rms_norm_eps: 1e-6,
  max_position_embeddings: 4096,
} as const

export const cases: readonly Case[] = [
  // Nothing is a multiple of 4; the queries leave a remainder; the last hidden state with all tokens.
  {
    ...usual,
    name: 'odd-sizes',
    seed: 1,
    frames: 3,
    group: 4,
    num_queries: 10,
    layer: -1,
    select: 'cls_patch',
    G: 2,
    vision,
    text,
  },
  // The naive resampler: positions at the features, one group whatever the key says.
  {
    ...usual,
    name: 'naive',
    seed: 5,
    connector: 'naiveresampler',
    frames: 2,
    group: 4,
    num_queries: 7,
    layer: -2,
    select: 'patch',
    G: 2,
    vision,
    text,
  },
  // As many key and value heads as query heads, an early hidden state, shards of bfloat16, a head of its own, decay.
  {
    ...usual,
    name: 'full-heads-bf16',
    seed: 2,
    frames: 2,
    group: 5,
    num_queries: 17,
    depth: 1,
    dtype: 'bfloat16',
    shards: 3,
    layer: -3,
    select: 'patch',
    G: 3,
    wd: 0.01,
    vision: { ...vision, hidden_act: 'gelu' },
    text: {
      ...text,
      num_attention_heads: 5,
      num_key_value_heads: 5,
      head_dim: 6,
      rope_theta: 1e4,
      tie_word_embeddings: false,
    },
  },
  // One frame in more groups than divide its tokens, float16, the largest group, heads wider than the hidden state.
  {
    ...usual,
    name: 'one-frame-f16',
    seed: 3,
    frames: 1,
    group: 5,
    num_queries: 5,
    depth: 1,
    dtype: 'float16',
    layer: -2,
    select: 'patch',
    G: 16,
    T: 7,
    endAfter: 3,
    vision: { ...vision, hidden_size: 20, num_attention_heads: 2, image_size: 24, patch_size: 8 },
    text: {
      ...text,
      hidden_size: 22,
      num_attention_heads: 6,
      num_key_value_heads: 2,
      head_dim: 14,
      num_hidden_layers: 1,
      tie_word_embeddings: false,
    },
  },
  // A prompt and a conversation longer than the model takes.
  {
    ...usual,
    name: 'cut-prompt',
    seed: 4,
    frames: 2,
    group: 3,
    num_queries: 11,
    layer: -2,
    select: 'patch',
    G: 4,
    maxLength: 150,
    vision,
    text: { ...text, rms_norm_eps: 1e-5 },
  },
  // One of everything: layers, heads, visual tokens, tokens a completion.
  {
    ...usual,
    name: 'ones',
    seed: 5,
    frames: 1,
    group: 1,
    num_queries: 1,
    depth: 1,
    layer: -1,
    select: 'cls_patch',
    G: 2,
    T: 1,
    vision: {
      ...vision,
      hidden_size: 5,
      intermediate_size: 3,
      num_hidden_layers: 1,
      num_attention_heads: 1,
      image_size: 7,
    },
    text: {
      ...text,
      hidden_size: 9,
      intermediate_size: 5,
      num_hidden_layers: 1,
      num_attention_heads: 1,
      head_dim: 2,
    },
  },
]

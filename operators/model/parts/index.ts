// The registries: which towers, connectors and language models a checkpoint may name. A plugin adds its own to them with
// `export const parts = { towers: { mine } }`.
import { groupResampler, naiveResampler } from './group-resampler.ts'
import { internVit } from './internvit.ts'
import { llama } from './llama.ts'
import type { ConnectorKind, LanguageKind, TowerKind } from './part.ts'
import { pixelShuffle } from './pixel-shuffle.ts'
import { pixelShuffleMlp } from './pixel-shuffle-mlp.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'
import { siglip } from './siglip.ts'

export const towers = new Map<string, TowerKind>([
  ['siglip', { summary: 'The vision tower of SigLIP, up to one of its hidden states.', parse: siglip }],
  [
    'internvit',
    { summary: 'The vision tower of InternVL: a class token and layer scale.', parse: internVit },
  ],
])

export const connectors = new Map<string, ConnectorKind>([
  ['groupresampler', { summary: 'Learned latents read groups of frames.', parse: groupResampler }],
  [
    'naiveresampler',
    { summary: 'Learned latents read all frames; positions are at the features.', parse: naiveResampler },
  ],
  [
    'pixelshuffle',
    { summary: 'Squares of neighbouring features become one visual token.', parse: pixelShuffle },
  ],
  ['pixelshufflemlp', { summary: 'The same squares, then a norm and two products.', parse: pixelShuffleMlp }],
])

export const languages = new Map<string, LanguageKind>([
  [
    'qwen2',
    { summary: 'Qwen2 and Qwen2.5: biases on queries, keys and values.', parse: fields => qwen2(fields) },
  ],
  ['qwen3', { summary: 'Qwen3: queries and keys are normed, no biases.', parse: qwen3 }],
  ['llama', { summary: 'Llama and SmolLM2: no biases.', parse: fields => llama(fields) }],
])

// The registries: which towers, connectors and language models a checkpoint may name.
import { groupResampler, naiveResampler } from './group-resampler.ts'
import { llama } from './llama.ts'
import type { ConnectorKind, LanguageKind, TowerKind } from './part.ts'
import { pixelShuffle } from './pixel-shuffle.ts'
import { qwen2 } from './qwen2.ts'
import { siglip } from './siglip.ts'

/** Kinds by name. A plugin adds one with `towers.set('mine', mine)`. */
export const towers = new Map<string, TowerKind>([['siglip', siglip]])

export const connectors = new Map<string, ConnectorKind>([
  ['groupresampler', groupResampler],
  ['naiveresampler', naiveResampler],
  ['pixelshuffle', pixelShuffle],
])

export const languages = new Map<string, LanguageKind>([
  ['qwen2', qwen2],
  ['llama', fields => llama(fields)],
])

import { type Context, resource } from '../../engine/operator.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'

/** Vision features of clips, kept on disk. */
export interface FeatureCache {
  /**
   * The name of the features of these frames of a clip. The name changes with the content of the clip, with the model, and
   * with everything else that changes a bit of the features. Undefined when the cache is off.
   */
  keyOf(clip: string, frames: readonly number[], seen: Seen): Promise<string | undefined>
  /** The features, or undefined when they are not kept. */
  get(key: string): Promise<Float32Array<ArrayBuffer> | undefined>
  /**
   * Keeps features of so many bytes, which are read only if there is room. Features that this process has read or written
   * stay: going through more clips than there is room for, over and over, would drop each of them before it is used again.
   */
  put(key: string, bytes: number, read: () => Promise<Float32Array>): Promise<void>
}

/** How frames are seen. */
export interface Seen {
  aspect: 'square' | 'pad'
  model: Pick<LoadedModel, 'precision' | 'device' | 'weights' | 'shape'>
}

const config = {
  folder: {
    type: 'string',
    writes: true,
    default: '',
    description:
      "Folder of the features; empty for `features` in flow's cache, if the data is read more than once.",
  },
  passes: {
    type: 'integer',
    minimum: 0,
    default: 1,
    description: 'Passes over the data, 0 for any number: with 1 and no folder the cache is off.',
  },
  model: { type: 'string', description: 'Checkpoint folder of the model whose features are kept.' },
  maxBytes: {
    type: 'integer',
    minimum: 0,
    default: 10_000_000_000,
    description: 'Bytes that all features together may take; 0 switches the cache off.',
  },
} as const

export interface CacheSettings {
  folder: string
  passes: number
  model: string
  maxBytes: number
}

/** The resource, where `open` gives the cache of the platform: a browser tab has none. */
export const featureCache = (open: (settings: CacheSettings, log: Context['log']) => FeatureCache) =>
  resource({
    summary:
      'Keeps vision features on disk, for clips that are seen again. Their key is the content of the clip, the model, what its tower computes and the choice of frames.',
    kind: 'feature-cache',
    config,
    open: async (settings, { log }) => open(settings, log),
    close: () => {},
  })

/** The cache that is off. */
export const noFeatures: FeatureCache = {
  keyOf: async () => undefined,
  get: async () => undefined,
  put: async () => {},
}

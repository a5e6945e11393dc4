import type { Clip, Sample } from '../kinds.ts'
import { sortedUnique } from './frame-indices.ts'
import { VideoError } from './video-error.ts'

/** What is known of a clip before a frame is read. */
export interface ClipFacts {
  /** Frames that really decode. */
  frameCount: number
  /** Average frames a second, as a fraction. */
  rate: readonly [number, number]
  /** Size of a decoded frame, as stored. */
  width: number
  height: number
  /** What is wrong with data that is cut or corrupt, when something is: some frames are then missing or wrong. */
  damage?: string
}

/** How long decoding may make no progress, what ends it, and who is told what is wrong with the data. */
export interface DecodeLimits {
  deadlineSeconds: number
  signal?: AbortSignal | undefined
  onDamage?: (words: string) => void
}

interface Opened {
  path: string
  sample: Sample
  facts: ClipFacts
  firstFrame: number
}

/** Decodes frames, which are given once each and increasing. */
export type Decode = (indices: readonly number[], limits: DecodeLimits) => AsyncIterable<Uint8Array>

/** The clip whose frames `decode` gives. */
export function clipOf(
  { path, sample, facts, firstFrame }: Opened,
  limits: DecodeLimits,
  decode: Decode,
): Clip {
  const { frameCount, rate, width, height, damage } = facts
  const framesPerSecond = rate[0] / rate[1]
  async function* frames(indices: readonly number[], signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const unique = sortedUnique(indices)
    const wrong = unique.find(index => !Number.isInteger(index) || index < 0 || index >= frameCount)
    if (wrong !== undefined)
      throw new VideoError(
        'bad-index',
        `${path}: no frame ${wrong}; the clip has frames 0 to ${frameCount - 1}`,
      )
    const repeats = new Map<number, number>()
    for (const index of indices) repeats.set(index, (repeats.get(index) ?? 0) + 1)
    const onDamage = (words: string) => {
      clip.damage ??= words
    }
    const numbers = unique.values()
    for await (const frame of decode(unique, { ...limits, signal: signal ?? limits.signal, onDamage })) {
      const times = repeats.get(numbers.next().value ?? -1) ?? 0
      for (let i = 0; i < times; i++) yield frame
    }
  }
  const clip: Clip = {
    sample,
    path,
    frameCount,
    framesPerSecond,
    durationSeconds: frameCount / framesPerSecond,
    width,
    height,
    firstFrame,
    ...(damage !== undefined && { damage }),
    frames,
    async read(indices, signal) {
      const decoded = new Map<number, Uint8Array>()
      const unique = sortedUnique(indices)
      for await (const frame of frames(unique, signal)) decoded.set(unique[decoded.size] ?? 0, frame)
      return indices.flatMap(index => decoded.get(index) ?? [])
    },
  }
  return clip
}

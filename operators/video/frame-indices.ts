/** Which frames of a clip are looked at: `L` evenly spaced, `M` middles of equal segments, `S` a whole stride. */
export type FrameRule = 'L' | 'M' | 'S'

/**
 * Rule L: `count` frames evenly spaced over `total`, first and last included, rounded down in float64; frames repeat
 * when there are fewer than `count` (numpy's linspace).
 */
export function evenlySpaced(total: number, count: number): number[] {
  if (count === 1) return [0]
  const step = (total - 1) / (count - 1)
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? total - 1 : Math.floor(i * step)))
}

export interface Segments {
  count: number
  framesPerSecond: number
  /** Number of the first frame: 0 in files, usually 1 in folders of pictures. */
  first: number
  /** Number of the last frame. */
  last: number
  /** Start and end in seconds; absent: the whole clip. */
  bounds?: readonly [number, number] | undefined
}

/** Rule M: the middles of `count` equal segments of the part between the bounds, as MVBench's readers place them. */
export function segmentMiddles({ count, framesPerSecond, first, last, bounds }: Segments): number[] {
  const [start, end] = bounds ?? [-100000, 100000]
  const from = Math.max(first, roundHalfToEven(start * framesPerSecond))
  const to = Math.min(roundHalfToEven(end * framesPerSecond), last)
  const segment = (to - from) / count
  return Array.from({ length: count }, (_, i) => {
    return Math.trunc(from + segment / 2 + roundHalfToEven(segment * i))
  })
}

/** Rule S: a whole stride from frame 0, at most one frame for each whole second, as LongVideoBench's reader steps. */
export function strided(durationSeconds: number, framesPerSecond: number, count: number): number[] {
  const valid = Math.trunc(durationSeconds * framesPerSecond)
  const frames = Math.min(count, Math.trunc(durationSeconds))
  return Array.from({ length: frames }, (_, i) => Math.trunc(valid / frames) * i)
}

/** Frames for one a second of the clip: at least 1, at most `maxFrames`. */
export function oneASecond(durationSeconds: number, maxFrames: number): number {
  return Math.min(maxFrames, Math.max(1, Math.trunc(durationSeconds)))
}

/** Each index once, in order: what Video-MME's and MLVU's readers do after rule L. */
export function sortedUnique(indices: readonly number[]): number[] {
  return [...new Set(indices)].sort((a, b) => a - b)
}

/** Python's `round` and numpy's `rint`. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value)
  const over = value - below
  if (over !== 0.5) return over < 0.5 ? below : below + 1
  return below % 2 === 0 ? below : below + 1
}

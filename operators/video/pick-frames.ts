import type { Clip } from '../kinds.ts'
import {
  evenlySpaced,
  type FrameRule,
  oneASecond,
  segmentMiddles,
  sortedUnique,
  strided,
} from './frame-indices.ts'
import { VideoError } from './video-error.ts'

/** Which frames of a clip: the fields of `video.sample` that say so. */
export interface FrameChoice {
  readonly mode: 'count' | 'one-a-second'
  readonly count: number
  readonly maxFrames: number
  readonly rule: FrameRule
  readonly unique: boolean
  readonly bounded: boolean
}

/** The frames of a clip (0-based) that the rule picks. Rule S goes by the sample's own `duration` where it has one. */
export function pickFrames(clip: Clip, settings: FrameChoice): number[] {
  const { frameCount, framesPerSecond, durationSeconds, firstFrame, sample } = clip
  const { mode, maxFrames, rule, unique, bounded } = settings
  const count = mode === 'count' ? settings.count : oneASecond(durationSeconds, maxFrames)
  const pick = (): number[] => {
    if (rule === 'L') return evenlySpaced(frameCount, count)
    if (rule === 'S') {
      const { duration } = sample.fields
      return strided(typeof duration === 'number' ? duration : durationSeconds, framesPerSecond, count)
    }
    const last = firstFrame + frameCount - 1
    const bounds = bounded ? boundsOf(clip) : undefined
    const numbers = segmentMiddles({ count, framesPerSecond, first: firstFrame, last, bounds })
    return numbers.map(number => number - firstFrame)
  }
  const indices = pick()
  if (indices.length === 0)
    throw new VideoError(
      'no-frames',
      `${clip.path}: rule ${rule} picks no frame of a clip of ${durationSeconds} s`,
    )
  return unique ? sortedUnique(indices) : indices
}

function boundsOf({ path, sample }: Clip): [number, number] {
  const { start, end } = sample.fields
  if (typeof start === 'number' && typeof end === 'number' && start < end) return [start, end]
  const found = `start ${JSON.stringify(start)}, end ${JSON.stringify(end)}`
  throw new VideoError(
    'bad-bounds',
    `${path}: bounded needs numbers, start before end, in the sample; got ${found}`,
  )
}

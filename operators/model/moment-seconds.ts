import type { Prompt } from '../kinds.ts'
import type { ShownClip } from '../text/smolvlm-frames.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'

/**
 * Seconds from one moment of a clip to the next, for models whose positions depend on it: those of frames that are spread evenly over
 * the whole clip, whichever they are, as the processor of Qwen2.5-VL has it.
 */
export function timingOf(
  { shape: { vision } }: { shape: Pick<LoadedModel['shape'], 'vision'> },
  { seconds, durationSeconds }: ShownClip,
): { momentSeconds?: number } {
  const { grid } = vision
  if (grid?.positionsPerSecond === undefined) return {}
  return { momentSeconds: (grid.step * durationSeconds) / seconds.length }
}

/** What a model sees of a prompt. */
export const seenOf = ({ ids, features, momentSeconds }: Prompt) => ({
  ids,
  features,
  ...(momentSeconds !== undefined && { momentSeconds }),
})

import type { Prompt } from '../kinds.ts'
import type { ShownClip } from '../text/smolvlm-frames.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { loadFeatures } from './later-features.ts'

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

/** What a model sees of a prompt, with its features in the memory of the GPU. */
export async function seenOf(prompt: Prompt) {
  const { ids, features, momentSeconds } = prompt
  await loadFeatures(prompt)
  return { ids, features, ...(momentSeconds !== undefined && { momentSeconds }) }
}

import { at } from '../../engine/shared/at.ts'
import { oneDecimal } from './python.ts'
import type { ShownClip } from './smolvlm-frames.ts'

/** The frames of a clip in Qwen3-VL's words, as transformers 5.17 writes them: between the two tokens of its chat template. */
export const qwen3VlFrames = (clip: ShownClip): string =>
  `<|vision_start|>${qwen3VlMoments(clip)}<|vision_end|>`

/**
 * The same as the release's processor wrote them (transformers 4.57), and as vLLM does. Two frames are a moment, with the middle of
 * their times and an `<image>` for its visual tokens; an odd last one is a moment by itself.
 */
export function qwen3VlMoments({ seconds }: ShownClip): string {
  const moments = Array.from({ length: Math.ceil(seconds.length / 2) }, (_, i) => {
    const first = at(seconds, 2 * i)
    return (first + (seconds[2 * i + 1] ?? first)) / 2
  })
  return moments
    .map(second => `<${oneDecimal(second)} seconds><|vision_start|><image><|vision_end|>`)
    .join('')
}

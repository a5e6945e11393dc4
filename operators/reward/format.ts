import { between } from '../text/answer-tags.ts'
import { lengthOf, strip } from '../text/python.ts'
import { reward } from './reward.ts'

export const formatFields = {
  baseline: {
    type: 'number',
    default: 0.5,
    description: 'Reward for a well-formed completion without the bonus.',
  },
  lengthBonus: {
    type: 'number',
    default: 0.5,
    description: 'Largest bonus, in proportion to the length of the thinking.',
  },
  lengthCap: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 1200,
    description: 'Characters of thinking that earn the whole bonus.',
  },
} as const

export default reward(
  'format',
  'Sets the named reward `format` of each completion: for thinking and answering in tags.',
  ({ text }, { config }) => formatReward(text, config),
  formatFields,
)

export interface FormatOptions {
  /** Reward for a well-formed completion without the bonus. */
  baseline: number
  /** Added in proportion to the length of the thinking. */
  lengthBonus: number
  /** Code points of thinking that earn the whole bonus. */
  lengthCap: number
}

/**
 * 0 unless the whole completion is one `<think>…</think>` and one `<answer>…</answer>` with only whitespace between;
 * then `baseline` + `lengthBonus` · min(length of the stripped thinking / `lengthCap`, 1).
 */
export function formatReward(
  completion: string,
  { baseline, lengthBonus, lengthCap }: FormatOptions,
): number {
  const thinking = between(completion, '<think>', '</think>')
  const answer = between(completion, '<answer>', '</answer>')
  if (thinking === undefined || answer === undefined) return 0
  const head = `<think>${thinking}</think>`
  const tail = `<answer>${answer}</answer>`
  if (!completion.startsWith(head) || !completion.endsWith(tail)) return 0
  if (strip(completion.slice(head.length, -tail.length)) !== '') return 0
  return baseline + lengthBonus * Math.min(lengthOf(strip(thinking)) / lengthCap, 1)
}

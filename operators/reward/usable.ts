import { largestFloat32 } from '../../kernels/device/float16.ts'
import type { Completion } from '../kinds.ts'
import { RewardError } from './reward-error.ts'

/** A completion for messages: its place in the group and the start of its text. */
export function shownCompletion(text: string, index: number, count: number): string {
  const start = text.length > longest ? `${text.slice(0, longest)}…` : text
  return `completion ${index + 1} of ${count}, ${JSON.stringify(start)}`
}

const longest = 80

/**
 * Refuses a reward beyond the range of float32: the standard deviation of its group would be infinite, and so every advantage 0,
 * or the gradient would be. `what` names the reward.
 */
export function refuseUnusable(
  reward: number | null | undefined,
  what: string,
  { text }: Completion,
  [index, count]: readonly [number, number],
): void {
  if (reward === null || reward === undefined || Math.abs(reward) <= largestFloat32) return
  throw new RewardError(
    'bad-reward',
    `${what} of ${shownCompletion(text, index, count)}: must be a number that float32 holds, from -3.4e38 to 3.4e38, found ${reward}`,
    { remedy: 'bound the score and its weight: what matters is how the rewards of one group differ' },
  )
}

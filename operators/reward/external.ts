import type { Fields } from '../../engine/operator.ts'
import { withoutMark } from '../../engine/shared/json.ts'
import type { Group } from '../kinds.ts'
import { weightField } from './reward.ts'
import { RewardError } from './reward-error.ts'

/** Config of rewards that an external program or server gives. The node's `onError` decides about retries. */
export const externalFields = {
  name: { type: 'string', default: 'external', description: 'Name of the reward.' },
  weight: weightField,
  timeoutSeconds: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 60,
    description: 'Time limit for one group; a group that is not scored by then is an error.',
  },
  concurrency: {
    type: 'integer',
    minimum: 1,
    default: 4,
    description: 'Largest number of groups scored at the same time.',
  },
} as const satisfies Fields

export interface ScorerOptions {
  /** Start of error messages: which reward of which sample. */
  source: string
  timeoutSeconds: number
  signal: AbortSignal
}

export { longestAnswer } from '../post.ts'

/** The request: one JSON object a group. The answer is `{"rewards": […]}`, a number or null for each completion. */
export function questionOf({ prompt, completions }: Group, key: string): string {
  const { video, question, solution, fields } = prompt.sample
  const answers = completions.map(({ text, ids, finished }) => ({ text, tokens: ids.length, finished }))
  return JSON.stringify({ key, video, question, solution, fields, completions: answers })
}

/** Reads the answer; anything but one finite number or null for each completion is an error that shows it. */
export function rewardsOf(answer: string, count: number, source: string): (number | null)[] {
  const bad = (found: string) => {
    const wanted = `{"rewards": [...]} with ${count} numbers or nulls, one for each completion`
    return new RewardError('bad-answer', `${source}: must answer ${wanted}, got ${found}`)
  }
  const rewards = listOf(answer)
  if (!rewards) throw bad(answer.trim() === '' ? 'nothing' : shown(answer))
  if (rewards.length !== count) throw bad(`${rewards.length} rewards`)
  return rewards.map((reward, i) => {
    if (reward === null || (typeof reward === 'number' && Number.isFinite(reward))) return reward
    throw bad(`${describe(reward)} at ${i}`)
  })
}

function listOf(answer: string): readonly unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(withoutMark(answer))
    if (typeof parsed !== 'object' || parsed === null || !('rewards' in parsed)) return undefined
    return Array.isArray(parsed.rewards) ? parsed.rewards : undefined
  } catch {
    return undefined // the caller's error shows the answer
  }
}

/** A list may be nested more deeply than it could be written out. */
function describe(reward: unknown): string {
  if (typeof reward === 'object') return Array.isArray(reward) ? 'a list' : 'an object'
  return typeof reward === 'string' ? shown(JSON.stringify(reward)) : String(reward)
}

const shown = (text: string) => (text.length > 200 ? `${text.slice(0, 200)}…` : text)

import {
  type Config,
  type Context,
  type Field,
  type Fields,
  type Operator,
  operator,
} from '../../engine/operator.ts'
import type { Completion, Group, Sample } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { RewardError } from './reward-error.ts'
import { weighted } from './reward-marks.ts'
import { shownCompletion } from './usable.ts'
import { withWeighted } from './with-reward.ts'

/** Gives a completion its reward, or null where the reward does not apply to it. */
export type Score<F extends Fields> = (
  completion: Completion,
  asked: Asked<F>,
) => number | null | Promise<number | null>

/** What a score may depend on besides the completion. */
export interface Asked<F extends Fields> {
  /** The question, its solution and the other fields of its row. */
  readonly sample: Sample
  /** Name of the item, for messages. */
  readonly key: string
  readonly config: Config<F>
  readonly context: Context
}

const inputs = { groups: groupPort } as const

/**
 * An operator that gives each completion the reward `name`. It adds `weight` times it to the combined reward. With weight 0 the
 * reward counts only where reward.sum names it.
 */
export const reward = <const F extends Fields = Record<never, never>>(
  name: string,
  summary: string,
  score: Score<F>,
  fields?: F,
): Operator<{ readonly weight: Field } & F, typeof inputs> => {
  const made = new Error(`the reward "${name}" is made here`)
  return operator({
    summary,
    // the cast: without `fields`, F has no keys
    config: { weight: weightField, ...(fields as F) },
    inputs,
    outputs: { groups: { kind: 'group', like: 'groups' } },
    marks: given => weighted(name, (given as { weight: number }).weight), // the cast: see run
    drops: false,
    run: ({ groups }, given, context) => {
      // the casts: the type of a merged config is not computed while F is open
      const config = given as Config<F>
      const { weight } = given as { weight: number }
      const scored = async (group: Group, { key }: { key: string }) => {
        const asked = { sample: group.prompt.sample, key, config, context }
        const scoreOf = async (completion: Completion, i: number, all: readonly Completion[]) => {
          const source = () =>
            `sample ${key}: reward "${name}" of ${shownCompletion(completion.text, i, all.length)}`
          return checked(await scoreFrom(() => score(completion, asked), source), source)
        }
        try {
          const values = await Promise.all(group.completions.map(scoreOf))
          return withWeighted(group, name, weight, values, key)
        } catch (error) {
          // the place of a plugin's code, for messages: a bad number has no stack
          if (error instanceof RewardError) error.cause ??= made
          throw error
        }
      }
      return { groups: groups.pipe(context.each(scored)) }
    },
  })
}

/** What a score returns. A plugin may throw anything: a text has no stack that says where. */
async function scoreFrom<T>(score: () => T | Promise<T>, source: () => string): Promise<T> {
  try {
    return await score()
  } catch (error) {
    if (error instanceof Error) throw error
    const thrown = typeof error === 'string' ? JSON.stringify(error) : String(error)
    throw new RewardError(
      'bad-reward',
      `${source()}: must return a number or throw an Error, threw ${thrown}`,
      {
        remedy: 'write throw new Error("…"), which keeps its place',
      },
    )
  }
}

export const weightField = {
  type: 'number',
  default: 1,
  description:
    'Its weight in the combined reward; 0 sets the named reward only, which reward.sum may then weigh.',
} as const satisfies Field

/** The value that a score returned. A plugin may be written in JavaScript, so no type has checked it. */
function checked(value: unknown, source: () => string): number | null {
  if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value
  const found = typeof value === 'string' ? JSON.stringify(value) : String(value)
  throw new RewardError(
    'bad-reward',
    `${source()}: must be a finite number, or null where it does not apply, found ${found}`,
    {
      remedy: 'let the score return a number for every text, also for an empty one, or null to leave it out',
    },
  )
}

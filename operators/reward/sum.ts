import { operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { RewardError } from './reward-error.ts'
import { combined, neededReward } from './reward-marks.ts'
import { namedReward, withCombined } from './with-reward.ts'

export default operator({
  summary: 'Sets the combined reward of each completion to the weighted sum of its named rewards.',
  config: {
    weights: {
      type: 'object',
      description:
        'Weight of each reward by its name. A reward that does not apply to a completion is left out of its sum.',
    },
    none: {
      type: 'string',
      enum: ['error', 'zero', 'leave-out'],
      default: 'error',
      description:
        'What happens if none of the rewards applies to a completion. error: the run stops. zero: its sum is 0. leave-out: it gets no combined reward (see `missing` of grpo.advantage).',
    },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: ({ weights }) => ({
    adds: [combined],
    needs: Object.keys(weights).map(name => neededReward(name, 'weights', name)),
  }),
  drops: false,
  run: ({ groups }, { weights, none }, context) => {
    const terms = termsOf(weights)
    const sum = (group: Group, { key }: { key: string }) =>
      withCombined(group, completion => {
        const values = terms.map(([name]) => namedReward(completion, name, key))
        return weightedSum(
          values,
          terms.map(([, weight]) => weight),
          key,
          none,
        )
      })
    return { groups: groups.pipe(context.each(sum)) }
  },
})

/** Σ weight · value over the values that apply. If none applies that is an error by default, since 0 would be a verdict. */
export function weightedSum(
  values: readonly (number | null)[],
  weights: readonly number[],
  key: string,
  none: 'error' | 'zero' | 'leave-out' = 'error',
): number | undefined {
  const applicable = values.flatMap((value, i) => (value === null ? [] : [at(weights, i) * value]))
  if (applicable.length > 0) return applicable.reduce((sum, term) => sum + term, 0)
  if (none !== 'error') return none === 'zero' ? 0 : undefined
  throw new RewardError('missing-reward', `sample ${key}: no reward applies to a completion`)
}

function termsOf(weights: Readonly<Record<string, unknown>>): (readonly [string, number])[] {
  const terms = Object.entries(weights).map(([name, weight]) => {
    if (typeof weight === 'number' && Number.isFinite(weight)) return [name, weight] as const
    throw new RewardError('bad-weights', `weights/${name}: must be a number, got ${JSON.stringify(weight)}`)
  })
  if (terms.length > 0) return terms
  throw new RewardError('bad-weights', 'weights: must name at least one reward, e.g. {"accuracy": 1}, got {}')
}

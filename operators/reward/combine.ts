import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { combined, neededReward } from './reward-marks.ts'
import { namedReward, withCombined } from './with-reward.ts'

export const combineFields = {
  rule: {
    type: 'string',
    enum: ['code', 'paper'],
    default: 'code',
    description:
      'How the two combine: as in the published program (code), or as in its paper (paper): there a completion with format reward 0 earns `zeroReplacement` even if it is right.',
  },
  zeroReplacement: {
    type: 'number',
    default: -2,
    description: 'Replaces a combined reward that is exactly 0.',
  },
} as const

/** A reward that does not apply to a completion counts as 0. */
export default operator({
  summary:
    'Sets the combined reward of each completion from `accuracy` and `format` as the published program does.',
  config: combineFields,
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: () => ({ adds: [combined], needs: [neededReward('accuracy'), neededReward('format')] }),
  drops: false,
  run: ({ groups }, config, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { key }) =>
        withCombined(group, completion => {
          const valueOrZero = (name: string) => namedReward(completion, name, key) ?? 0
          return combineRewards(valueOrZero('accuracy'), valueOrZero('format'), config)
        }),
      ),
    ),
  }),
})

export type CombineRule = 'code' | 'paper'

export interface CombineOptions {
  /** `code`: as the published program. `paper`: a completion without the form earns `zeroReplacement` even if right. */
  rule: CombineRule
  /** Replaces a reward that is exactly 0. */
  zeroReplacement: number
}

/** accuracy + (2 · accuracy − 1) · format: the form adds to a right answer and subtracts from a wrong one. */
export function combineRewards(
  accuracy: number,
  format: number,
  { rule, zeroReplacement }: CombineOptions,
): number {
  if (rule === 'paper' && format === 0) return zeroReplacement
  const reward = accuracy + (2 * accuracy - 1) * format
  return reward === 0 ? zeroReplacement : reward
}

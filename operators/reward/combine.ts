import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { namedReward, withCombined } from './with-reward.ts'

export const combineFields = {
  rule: {
    type: 'string',
    enum: ['code', 'paper'],
    default: 'code',
    description:
      'How the two combine: as the published program does, or as its paper says (no form: the zero replacement even if right).',
  },
  zeroReplacement: {
    type: 'number',
    default: -2,
    description: 'Takes the place of a combined reward that is exactly 0.',
  },
} as const

/** One that does not apply counts as 0. */
export default operator({
  summary: 'Combines the rewards `accuracy` and `format` of each completion as the published program does.',
  config: combineFields,
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, config, context) => ({
    groups: groups.pipe(
      context.each((group: Group, { key }) =>
        withCombined(group, completion => {
          const [accuracy, format] = ['accuracy', 'format'].map(
            name => namedReward(completion, name, key) ?? 0,
          )
          return combineRewards(accuracy, format, config)
        }),
      ),
    ),
  }),
})

export type CombineRule = 'code' | 'paper'

export interface CombineOptions {
  /** `code`: as the published program. `paper`: a completion without the form earns `zeroReplacement` even if right. */
  rule: CombineRule
  /** Takes the place of a reward that is exactly 0. */
  zeroReplacement: number
}

/** accuracy + (2 · accuracy − 1) · format: the form counts for a right answer and against a wrong one (Specification 5.6). */
export function combineRewards(
  accuracy: number,
  format: number,
  { rule, zeroReplacement }: CombineOptions,
): number {
  if (rule === 'paper' && format === 0) return zeroReplacement
  const reward = accuracy + (2 * accuracy - 1) * format
  return reward === 0 ? zeroReplacement : reward
}

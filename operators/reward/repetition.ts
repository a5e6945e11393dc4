import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { withReward } from './with-reward.ts'

export default operator({
  summary: 'Lowers the reward of repetitive completions.',
  config: {
    size: {
      type: 'integer',
      minimum: 1,
      default: 3,
      description: 'Length of the runs of tokens that should not repeat.',
    },
    weight: { type: 'number', default: 1, description: 'Penalty if every run were a repetition.' },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, { size, weight }, context) => ({
    groups: groups.pipe(
      context.each((group: Group) =>
        withReward(group, 'repetition', weight, ({ ids }) => repetitionReward(ids, size)),
      ),
    ),
  }),
})

/** Minus the share of runs of `size` tokens that occur earlier in the completion; 0 without a run. */
export function repetitionReward(ids: readonly number[], size: number): number {
  const runs = ids.slice(size - 1).map((_, i) => ids.slice(i, i + size).join(' '))
  return runs.length === 0 ? 0 : new Set(runs).size / runs.length - 1
}

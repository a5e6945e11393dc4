import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { withReward } from './with-reward.ts'

export default operator({
  summary: 'Lowers the reward of completions as they approach the length limit, most of all beyond it.',
  config: {
    length: { type: 'integer', minimum: 1, description: 'Tokens from which on the penalty is `weight`.' },
    buffer: {
      type: 'integer',
      minimum: 1,
      description: 'Tokens before `length` over which the penalty grows.',
    },
    weight: { type: 'number', default: 1, description: 'Largest penalty.' },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  run: ({ groups }, { length, buffer, weight }, context) => ({
    groups: groups.pipe(
      context.each((group: Group) =>
        withReward(group, 'overlong', weight, ({ ids }) => overlongReward(ids.length, length, buffer)),
      ),
    ),
  }),
})

/** Falls linearly from 0 at `length` − `buffer` tokens to −1 at `length` and more (DAPO, arXiv:2503.14476, equation 13). */
export function overlongReward(tokens: number, length: number, buffer: number): number {
  const excess = tokens - (length - buffer)
  return excess <= 0 ? 0 : -Math.min(excess / buffer, 1)
}

import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { withReward } from './with-reward.ts'

export default operator({
  summary: 'Takes something off the reward of completions that come near the length limit, and most past it.',
  config: {
    length: { type: 'integer', minimum: 1, description: 'Tokens from which the whole punishment is due.' },
    buffer: { type: 'integer', minimum: 1, description: 'Tokens before it over which the punishment grows.' },
    weight: { type: 'number', default: 1, description: 'The whole punishment.' },
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

/** From 0 at `length` − `buffer` tokens in a line to −1 at `length` and more (reference/grpo 2.4, DAPO). */
export function overlongReward(tokens: number, length: number, buffer: number): number {
  const excess = tokens - (length - buffer)
  return excess <= 0 ? 0 : -Math.min(excess / buffer, 1)
}

import { reward } from './reward.ts'

export default reward(
  'overlong',
  'Lowers the combined reward of completions as they approach the length limit, most of all beyond it.',
  ({ ids }, { config }) => overlongReward(ids.length, config.length, config.buffer),
  {
    length: {
      type: 'integer',
      minimum: 1,
      description: 'Length in tokens from which the penalty is `weight`.',
    },
    buffer: {
      type: 'integer',
      minimum: 1,
      description: 'Number of tokens before `length` over which the penalty grows.',
    },
    weight: { type: 'number', default: 1, description: 'Largest penalty.' },
  },
)

/** Falls linearly from 0 at `length` − `buffer` tokens to −1 at `length` and more (DAPO, arXiv:2503.14476, equation 13). */
export function overlongReward(tokens: number, length: number, buffer: number): number {
  const excess = tokens - (length - buffer)
  return excess <= 0 ? 0 : -Math.min(excess / buffer, 1)
}

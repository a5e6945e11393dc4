import type { Config, Fields } from '../../engine/operator.ts'

export const entropyFields = {
  topEntropy: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    description: 'Share of tokens, the most uncertain ones of the update, whose policy term counts.',
  },
  entropyCoefficient: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Weight of the mean entropy of the tokens, which is then made larger.',
  },
} as const satisfies Fields

export type EntropyOptions = Config<typeof entropyFields>

/** The entropy that the `share` of most uncertain tokens reach: a quantile, interpolated (reference/grpo 2.10). */
export function entropyThreshold(
  entropies: readonly ArrayLike<number>[],
  mask: readonly ArrayLike<number>[],
  share: number,
): number {
  const counted = entropies
    .flatMap((row, i) => Array.from(row).filter((_, t) => mask[i][t]))
    .sort((a, b) => a - b)
  if (share === 1 || counted.length === 0) return Number.NEGATIVE_INFINITY
  const position = (1 - share) * (counted.length - 1)
  const [below, above] = [counted[Math.floor(position)], counted[Math.ceil(position)]]
  return below + (position - Math.floor(position)) * (above - below)
}

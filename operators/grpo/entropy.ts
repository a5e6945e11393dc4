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
    description:
      'Weight of the mean entropy of the tokens, which is then made larger; with `entropyTarget` the first one.',
  },
  entropyTarget: {
    type: 'number',
    minimum: 0,
    default: 0,
    description:
      'Mean entropy below which the weight of the entropy rises by `entropyStep` an update and is used, and above which it falls and is not; 0 keeps the weight.',
  },
  entropyStep: { type: 'number', minimum: 0, default: 0.005, description: 'Change of that weight.' },
  entropyMost: { type: 'number', minimum: 0, default: 1, description: 'Largest such weight.' },
} as const satisfies Fields

export type EntropyOptions = Config<typeof entropyFields>

/** What steers the entropy's weight from update to update. */
export interface EntropyState {
  coefficient: number
  /** Of the last update, infinite before the first. */
  entropy: number
}

/** The weight that the next update uses (reference/grpo 2.10). */
export const entropyWeight = ({ coefficient, entropy }: EntropyState, options: EntropyOptions): number =>
  options.entropyTarget === 0
    ? options.entropyCoefficient
    : entropy <= options.entropyTarget
      ? coefficient
      : 0

/** The state behind an update whose tokens had this mean entropy. */
export function steered(
  { coefficient }: EntropyState,
  entropy: number,
  options: EntropyOptions,
): EntropyState {
  const step = entropy <= options.entropyTarget ? options.entropyStep : -options.entropyStep
  return { entropy, coefficient: Math.max(0, Math.min(coefficient + step, options.entropyMost)) }
}

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

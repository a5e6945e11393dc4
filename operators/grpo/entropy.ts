import type { Config, Fields } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'

export const entropyFields = {
  topEntropy: {
    type: 'number',
    exclusiveMinimum: 0,
    maximum: 1,
    default: 1,
    description: 'Share of the tokens of an update whose policy term counts: those of highest entropy.',
  },
  entropyCoefficient: {
    type: 'number',
    minimum: 0,
    default: 0,
    description:
      'Weight of a bonus for the mean entropy of the tokens; with `entropyTarget`, the weight to start from.',
  },
  entropyTarget: {
    type: 'number',
    minimum: 0,
    default: 0,
    description:
      'Mean entropy to aim at: at or below it the weight of the bonus rises by `entropyStep` an update; above it the weight falls, and the bonus is off. 0 keeps the weight constant.',
  },
  entropyStep: {
    type: 'number',
    minimum: 0,
    default: 0.005,
    description: 'Change of the weight of the bonus in one update.',
  },
  entropyMost: { type: 'number', minimum: 0, default: 1, description: 'Largest weight of the bonus.' },
} as const satisfies Fields

export type EntropyOptions = Config<typeof entropyFields>

/** What decides the bonus of the next update. */
export interface EntropyState {
  coefficient: number
  /** Mean entropy of the last update; infinite before the first. */
  entropy: number
}

/** The weight of the bonus in the next update, adapted as in Skywork-OR1 (He et al. 2025, arXiv:2505.22312). */
export const entropyWeight = ({ coefficient, entropy }: EntropyState, options: EntropyOptions): number =>
  options.entropyTarget === 0
    ? options.entropyCoefficient
    : entropy <= options.entropyTarget
      ? coefficient
      : 0

/** The state after an update whose tokens had this mean entropy. */
export function steered(
  { coefficient }: EntropyState,
  entropy: number,
  options: EntropyOptions,
): EntropyState {
  const step = entropy <= options.entropyTarget ? options.entropyStep : -options.entropyStep
  return { entropy, coefficient: Math.max(0, Math.min(coefficient + step, options.entropyMost)) }
}

/** The least entropy of the `share` of tokens with the highest one (Wang et al. 2025, arXiv:2506.01939): an interpolated quantile. */
export function entropyThreshold(
  entropies: readonly ArrayLike<number>[],
  mask: readonly ArrayLike<number>[],
  share: number,
): number {
  const counted = entropies
    .flatMap((row, i) => Array.from(row).filter((_, t) => at(at(mask, i), t)))
    .sort((a, b) => a - b)
  if (share === 1 || counted.length === 0) return Number.NEGATIVE_INFINITY
  const position = (1 - share) * (counted.length - 1)
  const [below, above] = [at(counted, Math.floor(position)), at(counted, Math.ceil(position))]
  return below + (position - Math.floor(position)) * (above - below)
}

import type { Config, Fields } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'

export const surrogateFields = {
  surrogate: {
    type: 'string',
    enum: ['unclipped', 'clip', 'cispo', 'sapo', 'vespo', 'reinforce'],
    default: 'unclipped',
    description:
      'What is minimised for each token, from its ratio ρ and advantage A: −ρA (unclipped), or a form of it that bounds the ratio.',
  },
  clipLow: { type: 'number', minimum: 0, default: 0.2, description: 'How far a ratio may fall below 1.' },
  clipHigh: { type: 'number', minimum: 0, default: 0.2, description: 'How far a ratio may rise above 1.' },
  clipBounds: {
    type: 'string',
    enum: ['relative', 'absolute'],
    default: 'relative',
    description:
      'relative: ratios are clipped to 1 − clipLow and 1 + clipHigh. absolute: to clipLow and clipHigh.',
  },
  delta: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'clip: largest ratio in the unclipped product; 0 for no limit.',
  },
  dualClip: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'clip: largest loss of a token of negative advantage, in multiples of −A; 0 for no limit.',
  },
  sapoTemperatures: {
    type: 'array',
    items: { type: 'number' },
    minItems: 2,
    default: [1, 1.05],
    description: 'sapo: steepness of the gate for positive and for other advantages.',
  },
  vespoPositive: {
    type: 'array',
    items: { type: 'number' },
    minItems: 2,
    default: [2, 3],
    description: 'vespo: exponent k and rate λ of the weight for advantages of at least 0.',
  },
  vespoNegative: {
    type: 'array',
    items: { type: 'number' },
    minItems: 2,
    default: [3, 2],
    description: 'vespo: exponent k and rate λ of the weight for negative advantages.',
  },
} as const satisfies Fields

export type SurrogateOptions = Config<typeof surrogateFields>

export interface TokenTerm {
  value: number
  /** Derivative of the value by the log ratio. */
  alongRatio: number
  /** Derivative of the value by the policy's log-probability, with the ratio held constant. */
  alongPolicy: number
  /** The bound that clipped the ratio in the direction of the advantage. */
  clipped?: 'low' | 'high' | undefined
}

/**
 * The policy term of one token. clip: PPO (Schulman et al. 2017, arXiv:1707.06347), with separate bounds as in DAPO
 * (Yu et al. 2025, arXiv:2503.14476). cispo: MiniMax-M1 (2025, arXiv:2506.13585).
 */
export const policyTerm: Term = (logRatio, logProb, advantage, options) =>
  terms[options.surrogate](logRatio, logProb, advantage, options)

type Term = (logRatio: number, logProb: number, advantage: number, options: SurrogateOptions) => TokenTerm

const unclipped: Term = (logRatio, _, advantage) => {
  const value = -Math.exp(logRatio) * advantage
  return { value, alongRatio: value, alongPolicy: 0 }
}

const clip: Term = (logRatio, _, advantage, options) => {
  const ratio = Math.exp(logRatio)
  const [low, high] = boundsOf(options)
  const capped = options.delta > 0 && ratio > options.delta
  const free = -(capped ? options.delta : ratio) * advantage
  const bounded = -Math.min(Math.max(ratio, low), high) * advantage
  const clipped = bounded > -ratio * advantage ? (advantage > 0 ? 'high' : 'low') : undefined
  const [value, slope] = bounded > free ? [bounded, 0] : [free, capped ? 0 : free]
  const most = -options.dualClip * advantage
  if (options.dualClip > 0 && advantage < 0 && value > most)
    return { value: most, alongRatio: 0, alongPolicy: 0, clipped }
  return { value, alongRatio: slope, alongPolicy: 0, clipped }
}

const cispo: Term = (logRatio, logProb, advantage, options) => {
  const ratio = Math.exp(logRatio)
  const [low, high] = boundsOf(options)
  const clipped = ratio > high && advantage > 0 ? 'high' : ratio < low && advantage < 0 ? 'low' : undefined
  return { ...weighted(Math.min(Math.max(ratio, low), high), logProb, advantage), clipped }
}

const sapo: Term = (logRatio, _, advantage, { sapoTemperatures }) => {
  const temperature = at(sapoTemperatures, advantage > 0 ? 0 : 1)
  const ratio = Math.exp(logRatio)
  const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)))
  const alongRatio = -4 * gate * (1 - gate) * ratio * advantage
  return { value: (-4 / temperature) * gate * advantage, alongRatio, alongPolicy: 0 }
}

const vespo: Term = (logRatio, logProb, advantage, { vespoPositive, vespoNegative }) => {
  const constants = advantage >= 0 ? vespoPositive : vespoNegative
  const [exponent, rate] = [at(constants, 0), at(constants, 1)]
  const weight = Math.exp(rate + exponent * logRatio - rate * Math.exp(logRatio))
  return weighted(weight, logProb, advantage)
}

const terms: Record<SurrogateOptions['surrogate'], Term> = {
  unclipped,
  clip,
  cispo,
  sapo,
  vespo,
  reinforce: (_, logProb, advantage) => weighted(1, logProb, advantage),
}

/** −w A log π with a constant weight. */
function weighted(weight: number, logProb: number, advantage: number): TokenTerm {
  return { value: -weight * advantage * logProb, alongRatio: 0, alongPolicy: -weight * advantage }
}

const boundsOf = ({ clipBounds, clipLow, clipHigh }: SurrogateOptions): [number, number] =>
  clipBounds === 'absolute' ? [clipLow, clipHigh] : [1 - clipLow, 1 + clipHigh]

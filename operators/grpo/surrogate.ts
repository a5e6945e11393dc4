import type { Config, Fields } from '../../engine/operator.ts'

export const surrogateFields = {
  surrogate: {
    type: 'string',
    enum: ['unclipped', 'clip', 'cispo', 'sapo', 'vespo', 'reinforce'],
    default: 'unclipped',
    description:
      'What is minimised for each token, from its ratio ρ and advantage A: −ρA, or a bounded form of it.',
  },
  clipLow: { type: 'number', minimum: 0, default: 0.2, description: 'How far a ratio may fall.' },
  clipHigh: { type: 'number', minimum: 0, default: 0.2, description: 'How far a ratio may rise.' },
  clipBounds: {
    type: 'string',
    enum: ['relative', 'absolute'],
    default: 'relative',
    description: 'Ratios stay from 1 − clipLow to 1 + clipHigh, or from clipLow to clipHigh.',
  },
  delta: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Clip: the ratio of the unclipped product is at most this; 0 has no such bound.',
  },
  dualClip: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Clip: a token of negative advantage costs at most this times −A; 0 has no such bound.',
  },
  sapoTemperatures: {
    type: 'array',
    items: { type: 'number' },
    minItems: 2,
    default: [1, 1.05],
    description: 'SAPO: steepness of the gate for positive and for other advantages.',
  },
  vespoPositive: {
    type: 'array',
    items: { type: 'number' },
    minItems: 2,
    default: [2, 3],
    description: 'VESPO: exponent k and rate λ of the weight for advantages of at least 0.',
  },
  vespoNegative: {
    type: 'array',
    items: { type: 'number' },
    minItems: 2,
    default: [3, 2],
    description: 'VESPO: exponent k and rate λ of the weight for negative advantages.',
  },
} as const satisfies Fields

export type SurrogateOptions = Config<typeof surrogateFields>

export interface TokenTerm {
  value: number
  /** Derivative of the value along the log ratio. */
  alongRatio: number
  /** Derivative of the value along the policy's log-probability itself, the ratio held constant. */
  alongPolicy: number
  /** The bound that cut the ratio against the push of the advantage. */
  clipped?: 'low' | 'high' | undefined
}

/** The policy term of one token (reference/grpo 2.7). */
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

const sapo: Term = (logRatio, _, advantage, { sapoTemperatures: [positive, other] }) => {
  const temperature = advantage > 0 ? positive : other
  const ratio = Math.exp(logRatio)
  const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)))
  const alongRatio = -4 * gate * (1 - gate) * ratio * advantage
  return { value: (-4 / temperature) * gate * advantage, alongRatio, alongPolicy: 0 }
}

const vespo: Term = (logRatio, logProb, advantage, { vespoPositive, vespoNegative }) => {
  const [exponent, rate] = advantage >= 0 ? vespoPositive : vespoNegative
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

import type { Config, Fields } from '../../engine/operator.ts'

export const klFields = {
  beta: {
    type: 'number',
    minimum: 0,
    default: 0.01,
    description: 'Weight of the KL divergence from the reference; 0 needs no reference.',
  },
  klEstimator: {
    type: 'string',
    enum: ['k1', 'abs', 'k2', 'k3', 'k3+'],
    default: 'k3',
    description:
      'How the divergence is estimated from one token, x = policy − reference. k1: x. abs: |x|. k2: x²/2. k3: exp(−x) + x − 1. k3+: the value of k3 with the gradient of k2.',
  },
  klClamp: {
    type: 'number',
    minimum: 0,
    default: 100,
    description: 'Largest KL of one token; 0 for no limit.',
  },
  klExponentClamp: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'Limits the difference of log-probabilities to ± this before the estimate; 0 for no limit.',
  },
  klTimesRatio: {
    type: 'boolean',
    default: false,
    description:
      'Whether the estimate is multiplied by the ratio, which removes its bias when an older policy drew the tokens.',
  },
} as const satisfies Fields

export type KlOptions = Config<typeof klFields>

/**
 * KL of one token from x = policy − reference, with its derivative by x, 0 where a limit applies. k1 to k3 are those of
 * Schulman (2020), "Approximating KL divergence".
 */
export function tokenKl(
  x: number,
  { klEstimator, klClamp, klExponentClamp }: KlOptions,
): { value: number; slope: number } {
  const isLimited = klExponentClamp > 0 && Math.abs(x) > klExponentClamp
  const { value, slope } = estimators[klEstimator](isLimited ? Math.sign(x) * klExponentClamp : x)
  if (klClamp > 0 && Math.abs(value) > klClamp) return { value: Math.sign(value) * klClamp, slope: 0 }
  return { value, slope: isLimited ? 0 : slope }
}

const estimators: Record<KlOptions['klEstimator'], (x: number) => { value: number; slope: number }> = {
  k1: x => ({ value: x, slope: 1 }),
  abs: x => ({ value: Math.abs(x), slope: Math.sign(x) }),
  k2: x => ({ value: x ** 2 / 2, slope: x }),
  k3: x => ({ value: Math.exp(-x) + x - 1, slope: 1 - Math.exp(-x) }),
  'k3+': x => ({ value: Math.exp(-x) + x - 1, slope: x }),
}

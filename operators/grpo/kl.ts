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
      'How the divergence is estimated from one token; k3+ has the value of k3 and the gradient of k2.',
  },
  klClamp: {
    type: 'number',
    minimum: 0,
    default: 100,
    description: 'A token counts at most this much KL; 0 never cuts.',
  },
  klExponentClamp: {
    type: 'number',
    minimum: 0,
    default: 0,
    description: 'The difference of log-probabilities is cut to ± this before the estimate; 0 never cuts.',
  },
  klTimesRatio: {
    type: 'boolean',
    default: false,
    description: 'Multiply the estimate by the ratio, which removes its bias for an older policy.',
  },
} as const satisfies Fields

export type KlOptions = Config<typeof klFields>

/** KL of one token from x = policy − reference, with its derivative along x (reference/grpo 2.9). A cut value has none. */
export function tokenKl(
  x: number,
  { klEstimator, klClamp, klExponentClamp }: KlOptions,
): { value: number; slope: number } {
  const cut = klExponentClamp > 0 && Math.abs(x) > klExponentClamp
  const { value, slope } = estimators[klEstimator](cut ? Math.sign(x) * klExponentClamp : x)
  if (klClamp > 0 && Math.abs(value) > klClamp) return { value: Math.sign(value) * klClamp, slope: 0 }
  return { value, slope: cut ? 0 : slope }
}

const estimators: Record<KlOptions['klEstimator'], (x: number) => { value: number; slope: number }> = {
  k1: x => ({ value: x, slope: 1 }),
  abs: x => ({ value: Math.abs(x), slope: Math.sign(x) }),
  k2: x => ({ value: x ** 2 / 2, slope: x }),
  k3: x => ({ value: Math.exp(-x) + x - 1, slope: 1 - Math.exp(-x) }),
  'k3+': x => ({ value: Math.exp(-x) + x - 1, slope: x }),
}

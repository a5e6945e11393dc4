import type { Tensor } from '../device/tensor.ts'
import type { Pass } from './pass.ts'

/**
 * Which activations of a block are not kept for the backward but computed again there: none, those of its feed-forward
 * part, which are the largest, or all but its input.
 */
export type Recompute = 'none' | 'mlp' | 'full'

/** The two halves of a block one after the other. */
export function block(
  pass: Pass,
  recompute: Recompute,
  x: Tensor,
  attention: (x: Tensor) => Tensor,
  feedForward: (x: Tensor) => Tensor,
): Tensor {
  if (recompute === 'full') return pass.recomputed(() => feedForward(attention(x)))
  const between = attention(x)
  return recompute === 'mlp' ? pass.recomputed(() => feedForward(between)) : feedForward(between)
}

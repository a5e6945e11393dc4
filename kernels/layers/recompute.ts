import type { Tensor } from '../device/tensor.ts'
import type { Pass } from './pass.ts'

/**
 * The activations of a block that the backward computes again instead of keeping them: none, those of the feed-forward half,
 * which are the largest, or all but the block's input.
 */
export type Recompute = 'none' | 'mlp' | 'full'

/** A block: the attention half, then the feed-forward half. */
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

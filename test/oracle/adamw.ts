import type { Matrix } from './tape.ts'

export interface AdamWOptions {
  lr: number
  betas: readonly [number, number]
  eps: number
  weight_decay: number
  /** Gradients longer than this are scaled down to it. */
  clip: number
}

export function gradientNorm(parameters: Iterable<Matrix>): number {
  let sum = 0
  for (const { gradient } of parameters) for (const g of gradient ?? []) sum += g * g
  return Math.sqrt(sum)
}

/**
 * Clips by the norm of all gradients, then updates; call it once a step, with its learning rate where that changes.
 * The decay takes every parameter that `decays` accepts.
 */
export function adamW(
  parameters: readonly Matrix[],
  options: AdamWOptions,
  decays: (parameter: Matrix) => boolean = () => true,
): (lr?: number) => void {
  const { betas, eps, clip } = options
  const moments = parameters.map(({ data: { length } }) => [
    new Float64Array(length),
    new Float64Array(length),
  ])
  let step = 0
  return (lr = options.lr) => {
    step++
    const shrink = Math.min(1, clip / (gradientNorm(parameters) + 1e-6))
    for (const [p, parameter] of parameters.entries()) {
      const { data, gradient } = parameter
      const decay = decays(parameter) ? options.weight_decay : 0
      const [first, second] = moments[p]
      for (let i = 0; i < data.length; i++) {
        const g = shrink * (gradient?.[i] ?? 0)
        first[i] = betas[0] * first[i] + (1 - betas[0]) * g
        second[i] = betas[1] * second[i] + (1 - betas[1]) * g * g
        const direction = first[i] / (1 - betas[0] ** step)
        const size = Math.sqrt(second[i] / (1 - betas[1] ** step)) + eps
        data[i] -= lr * decay * data[i] + (lr * direction) / size
      }
    }
  }
}

export interface Schedule {
  /** Peak. */
  learningRate: number
  schedule: 'constant' | 'linear' | 'cosine'
  /** Share of all steps spent rising from 0. */
  warmupRatio: number
  steps: number
}

/**
 * Learning rate of the update that follows `done` updates: rising as done / w over w warm-up steps, then constant,
 * falling in a line to 0, or as 0.5 (1 + cos(π (done − w) / (steps − w))). Past `steps` it stays at its end.
 */
export function learningRateAt(
  done: number,
  { learningRate, schedule, warmupRatio, steps }: Schedule,
): number {
  const warmup = Math.ceil(warmupRatio * steps)
  if (done < warmup) return (learningRate * done) / warmup
  const progress = Math.min(1, (done - warmup) / Math.max(1, steps - warmup))
  if (schedule === 'linear') return learningRate * (1 - progress)
  if (schedule === 'cosine') return learningRate * 0.5 * (1 + Math.cos(Math.PI * progress))
  return learningRate
}

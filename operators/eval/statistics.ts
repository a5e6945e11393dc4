/** One observation: a question's score, or the difference of two. */
export interface Observation {
  value: number
  /** Observations of one cluster depend on each other: questions about one clip. */
  cluster: string
  /** The mean is that of the strata's means, each of equal weight. */
  stratum: string
}

export interface Estimate {
  mean: number
  /** Ends of the 95 % interval; null where one cluster gives none. */
  low: number | null
  high: number | null
  observations: number
  clusters: number
}

/**
 * The mean of the strata's means with a normal 95 % interval from cluster-robust variance:
 * C / (C - 1) · Σ over clusters of (Σ w (value - stratum's mean))², w = 1 / (strata · observations of the stratum).
 */
export function clusteredMean(observations: readonly Observation[]): Estimate {
  const strata = new Map<string, { sum: number; count: number }>()
  for (const { value, stratum } of observations) {
    const found = strata.get(stratum) ?? { sum: 0, count: 0 }
    strata.set(stratum, { sum: found.sum + value, count: found.count + 1 })
  }
  const means = [...strata.values()].map(({ sum, count }) => sum / count)
  const mean = means.reduce((sum, one) => sum + one, 0) / means.length
  const clusters = new Map<string, number>()
  for (const { value, cluster, stratum } of observations) {
    const { sum, count } = strata.get(stratum) ?? { sum: 0, count: 1 }
    const influence = (value - sum / count) / (strata.size * count)
    clusters.set(cluster, (clusters.get(cluster) ?? 0) + influence)
  }
  const size = { observations: observations.length, clusters: clusters.size }
  if (clusters.size < 2) return { mean, low: null, high: null, ...size }
  const squares = [...clusters.values()].reduce((sum, one) => sum + one ** 2, 0)
  const half = quantile * Math.sqrt((squares * clusters.size) / (clusters.size - 1))
  return { mean, low: mean - half, high: mean + half, ...size }
}

/** Of the normal distribution, for 95 %. */
const quantile = 1.959964

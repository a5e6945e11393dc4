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
 * The mean of the strata's means with a 95 % interval from cluster-robust variance:
 * C / (C - 1) · Σ over clusters of (Σ w (value - stratum's mean))², w = 1 / (strata · observations of the stratum).
 * Strata that `unionOf` gives one name count as one stratum, whose mean is that of their means.
 * For shares (values 0 and 1) it is Wilson's interval with as many trials as have that variance, or one a cluster where
 * all values are alike; otherwise the normal one, inside -1 to 1.
 */
export function clusteredMean(
  observations: readonly Observation[],
  kind: 'share' | 'difference',
  unionOf: (stratum: string) => string = stratum => stratum,
): Estimate {
  const strata = new Map<string, { sum: number; count: number }>()
  for (const { value, stratum } of observations) {
    const found = strata.get(stratum) ?? { sum: 0, count: 0 }
    strata.set(stratum, { sum: found.sum + value, count: found.count + 1 })
  }
  const unions = new Map<string, number[]>()
  for (const [stratum, { sum, count }] of strata) {
    const union = unionOf(stratum)
    unions.set(union, [...(unions.get(union) ?? []), sum / count])
  }
  const mean = meanOf([...unions.values()].map(meanOf))
  const clusters = new Map<string, number>()
  for (const { value, cluster, stratum } of observations) {
    const { sum, count } = strata.get(stratum) ?? { sum: 0, count: 1 }
    const members = unions.get(unionOf(stratum))?.length ?? 1
    const influence = (value - sum / count) / (unions.size * members * count)
    clusters.set(cluster, (clusters.get(cluster) ?? 0) + influence)
  }
  const size = { observations: observations.length, clusters: clusters.size }
  if (clusters.size < 2) return { mean, low: null, high: null, ...size }
  const squares = [...clusters.values()].reduce((sum, one) => sum + one ** 2, 0)
  const variance = (squares * clusters.size) / (clusters.size - 1)
  const interval = kind === 'share' ? wilson(mean, variance, clusters.size) : normal(mean, variance)
  return { mean, ...interval, ...size }
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, one) => sum + one, 0) / values.length

/** Of the normal distribution, for 95 %. */
const quantile = 1.959964

function normal(mean: number, variance: number): { low: number; high: number } {
  const half = quantile * Math.sqrt(variance)
  return { low: Math.max(-1, mean - half), high: Math.min(1, mean + half) }
}

/** Wilson (1927): unlike the normal interval it stays between 0 and 1 and does not vanish at their ends. */
function wilson(share: number, variance: number, clusters: number): { low: number; high: number } {
  const trials = variance < 1e-12 ? clusters : (share * (1 - share)) / variance
  const shrunk = 1 + quantile ** 2 / trials
  const centre = (share + quantile ** 2 / (2 * trials)) / shrunk
  const spread = (share * (1 - share)) / trials + quantile ** 2 / (4 * trials ** 2)
  const half = (quantile * Math.sqrt(spread)) / shrunk
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}

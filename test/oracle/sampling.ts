/** Probabilities after dividing by the temperature, keeping the k best, then the best up to the mass p, in this order. */
export function sampledProbabilities(logits: Float64Array, name: string): Float64Array {
  const { temperature, topK, topP } = samplingOf(name)
  let kept = Array.from(logits, value => value / temperature)
  if (topK > 0) {
    const threshold = kept.toSorted((a, b) => b - a)[Math.min(topK, kept.length) - 1]
    kept = kept.map(value => (value < threshold ? Number.NEGATIVE_INFINITY : value))
  }
  if (topP < 1) {
    const probabilities = softmaxOf(kept)
    const worstFirst = kept.map((_, i) => i).sort((a, b) => probabilities[a] - probabilities[b])
    let mass = 0
    // The best always stays.
    for (const i of worstFirst.slice(0, -1)) {
      mass += probabilities[i]
      if (mass <= 1 - topP) kept[i] = Number.NEGATIVE_INFINITY
    }
  }
  return softmaxOf(kept)
}

/** From names like `sampling.temp0.7`, `sampling.topk5`, `sampling.t0.7k20p0.8`. */
function samplingOf(name: string): { temperature: number; topK: number; topP: number } {
  const number = (pattern: RegExp, otherwise: number): number => Number(pattern.exec(name)?.[1] ?? otherwise)
  return {
    temperature: number(/\.(?:temp|t)(\d+(?:\.\d+)?)/, 1),
    topK: number(/(?:topk|\dk)(\d+)/, 0),
    topP: number(/(?:topp|\dp)(\d+(?:\.\d+)?)/, 1),
  }
}

function softmaxOf(values: readonly number[]): Float64Array {
  const largest = Math.max(...values)
  const powers = values.map(value => Math.exp(value - largest))
  const sum = powers.reduce((total, value) => total + value, 0)
  return Float64Array.from(powers, value => value / sum)
}

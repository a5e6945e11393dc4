/** One kind of work, timed a number of times. */
export interface Measurement {
  name: string
  seconds: number[]
  /** Floating-point operations of one, and the bytes it cannot avoid to move; both only where they are known. */
  flops?: number
  bytes?: number
}

/** Seconds of each of `rounds` runs, after two that do not count. */
export async function measure(rounds: number, run: () => Promise<unknown>): Promise<number[]> {
  const seconds: number[] = []
  for (let i = -2; i < rounds; i++) {
    const started = performance.now()
    await run()
    if (i >= 0) seconds.push((performance.now() - started) / 1000)
  }
  return seconds
}

/** What a measurement says: the median, half the width of the middle 80 %, and rates from the median. */
export function summary({ name, seconds, flops, bytes }: Measurement) {
  const sorted = [...seconds].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]
  const median = at(0.5)
  return {
    name,
    rounds: seconds.length,
    milliseconds: median * 1000,
    spread: (at(0.9) - at(0.1)) / 2 / median,
    ...(flops && { teraflops: flops / median / 1e12 }),
    ...(bytes && { gigabytesPerSecond: bytes / median / 1e9 }),
  }
}

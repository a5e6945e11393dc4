import type { Recompute } from '../../kernels/layers/recompute.ts'
import { type Peaks, peaksOf } from './peaks.ts'

/** What the command line asks for. */
export interface BenchOptions {
  rounds: number
  /** Every variant, not only the chosen ones. */
  all: boolean
  /** How the names of the shapes begin that are multiplied; empty: all. */
  only: string
  /** The `config.json` of the models. */
  config: string
  /** Adapters instead of full training. */
  lora: boolean
  /** What full training computes again. */
  recompute: Recompute
  /** Where the time goes, by kernel. */
  profile: boolean
  /** Where files are written. */
  folder: string
}

/** One kind of work, timed a number of times. */
export interface Measurement {
  name: string
  seconds: number[]
  /** Floating-point operations of one, and the bytes it cannot avoid to move; both only where they are known. */
  flops?: number
  bytes?: number
  /** Tokens written. */
  tokens?: number
  /** Most memory ever held: of the GPU, and of this process. */
  peakBytes?: number
  residentBytes?: number
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

/**
 * What a measurement says: the median, half the width of the middle 80 %, rates from the median, and the share of the time
 * that the GPU's published peaks would allow (the larger of arithmetic and memory).
 */
export function summary(
  { name, seconds, flops, bytes, tokens, peakBytes, residentBytes }: Measurement,
  adapter: string,
) {
  const sorted = [...seconds].sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]
  const median = at(0.5)
  const floor = floorOf(peaksOf(adapter), flops, bytes)
  return {
    name,
    rounds: seconds.length,
    milliseconds: median * 1000,
    spread: (at(0.9) - at(0.1)) / 2 / median,
    ...(flops && { teraflops: flops / median / 1e12 }),
    ...(bytes && { gigabytesPerSecond: bytes / median / 1e9 }),
    ...(tokens && { tokensPerSecond: tokens / median }),
    ...(floor && { roofline: floor / median }),
    ...(peakBytes && { peakGigabytes: peakBytes / 1e9 }),
    ...(residentBytes && { residentGigabytes: residentBytes / 1e9 }),
  }
}

export type Summary = ReturnType<typeof summary>

/** Seconds that the work takes at least, where peaks are known. */
const floorOf = (peaks: Peaks | undefined, flops = 0, bytes = 0): number | undefined =>
  peaks && Math.max(flops / (peaks.teraflops * 1e12), bytes / (peaks.gigabytesPerSecond * 1e9))

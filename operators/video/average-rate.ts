import type { Packets } from './packet-listing.ts'

/**
 * The container's average rate. ffmpeg prints it with two decimals; the packets' times give it exactly where the
 * container's own clock is exact (mp4, avi), and elsewhere it is the usual rate that prints so, where there is one.
 */
export function averageRate(
  printed: number,
  packets: Pick<Packets, 'count' | 'first' | 'last' | 'lastDuration' | 'timeBase'>,
  container: string,
): readonly [number, number] | undefined {
  const [tick, ticksPerSecond] = packets.timeBase
  const span = (packets.last - packets.first + packets.lastDuration) * tick
  const measured =
    Number.isSafeInteger(span) && span > 0 ? reduced(packets.count * ticksPerSecond, span) : undefined
  const agrees = ([n, d]: readonly [number, number]) =>
    Math.abs(n / d - printed) <= (printed < 0.01 ? 0.000051 : 0.0051)
  if (printed === 0) return measured
  if (measured && agrees(measured) && /^(mov|avi)/.test(container)) return measured
  const usual = usualRates.find(agrees)
  if (usual) return usual
  return measured && agrees(measured) ? measured : reduced(Math.round(printed * 100), 100)
}

// NTSC rates last: 29.97 fits only them, 30 only the whole number.
const usualRates: readonly (readonly [number, number])[] = [
  ...Array.from({ length: 240 }, (_, i) => [i + 1, 1] as const),
  ...[12, 15, 24, 30, 48, 60, 120].map(rate => [rate * 1000, 1001] as const),
  ...[5, 15, 25].map(rate => [rate, 2] as const),
]

function reduced(numerator: number, denominator: number): readonly [number, number] {
  let [a, b] = [numerator, denominator]
  while (b > 0) [a, b] = [b, a % b]
  return [numerator / a, denominator / a]
}

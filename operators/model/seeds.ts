/** A 32-bit seed for each completion of a prompt, well mixed so that neighbouring seeds draw unrelated tokens. */
export function completionSeeds(seed: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => mix(seed ^ mix(i + 1)))
}

/** A bijection on 32-bit integers (the finaliser of MurmurHash3). */
function mix(x: number): number {
  let h = x >>> 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

import { mixBits } from '../../engine/shared/hash.ts'

/** Independent draws from the standard normal distribution; the same seed gives the same draws on every run. */
export function normals(seed: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    // Box-Muller: the radius from one uniform in (0, 1], the angle from another.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, 2 * i)))
    return radius * Math.cos(2 * Math.PI * uniform(seed, 2 * i + 1))
  })
}

/** Draw number `index` of a seed, in [0, 1): a hash, so there is no state. */
const uniform = (seed: number, index: number): number =>
  mixBits(mixBits(seed ^ 0x9e3779b9) ^ mixBits(index + 1)) / 2 ** 32

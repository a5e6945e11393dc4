/** Independent draws from the standard normal distribution; the same seed gives the same draws on every run. */
export function normals(seed: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    // Box-Muller: the radius from one uniform in (0, 1], the angle from another.
    const radius = Math.sqrt(-2 * Math.log(1 - uniform(seed, 2 * i)))
    return radius * Math.cos(2 * Math.PI * uniform(seed, 2 * i + 1))
  })
}

/** In [0, 1): draw number `index` of a seed, without state, by two rounds of the 32-bit finaliser of MurmurHash3. */
const uniform = (seed: number, index: number): number =>
  mix(mix(seed ^ 0x9e3779b9) ^ mix(index + 1)) / 2 ** 32

function mix(value: number): number {
  let bits = value >>> 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}

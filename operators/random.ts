import { hashText, mixBits } from '../engine/shared/hash.ts'

/** A seeded stream of random numbers: the same seed gives the same stream on every machine. */
export interface Random {
  /** In [0, 1). */
  uniform(): number
  /** From 0 up to, not including, `count`. */
  integer(count: number): number
  /** Standard normal, by Box and Muller's method. */
  normal(): number
  /** The list in random order, each order as likely as any other. */
  shuffle<T>(list: readonly T[]): T[]
}

/** Opens the stream of a seed; more parts, e.g. a name, give separate streams. */
export function randomOf(seed: number, ...parts: readonly (string | number)[]): Random {
  let state = hashText(`${seed}\0${parts.join('\0')}`)
  // Weyl sequence with MurmurHash3's finaliser: every 32-bit state once.
  const bits = () => {
    state = (state + 0x9e3779b9) >>> 0
    return mixBits(state)
  }
  const uniform = () => bits() / 2 ** 32
  const integer = (count: number) => Math.floor(uniform() * count)
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle(list) {
      // Each element in turn takes a random place among those before it.
      const shuffled: (typeof list)[number][] = []
      for (const element of list) shuffled.splice(integer(shuffled.length + 1), 0, element)
      return shuffled
    },
  }
}

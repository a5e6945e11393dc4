import { hashText } from '../../shared/hash.ts'

/** 32-bit seed of an item: a hash of the run's seed, the source node and the key. */
export const seedOf = (runSeed: number, node: string, key: string): number =>
  hashText(`${runSeed}\0${node}\0${key}`)

/** 32-bit seed of an item: FNV-1a over the run's seed, the source node and the key, then mixed as in MurmurHash3. */
export function seedOf(runSeed: number, node: string, key: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(`${runSeed}\0${node}\0${key}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

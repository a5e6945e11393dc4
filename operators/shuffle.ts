import { at } from '../engine/shared/at.ts'
/** A copy in random order (Fisher–Yates with mulberry32), decided by the run's seed and the epoch: the same on every machine. */
export function shuffled<T>(items: readonly T[], seed: number, epoch: number): T[] {
  const list = [...items]
  const random = mulberry32(seed + Math.imul(epoch, 0x9e3779b9))
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const swapped = at(list, last)
    list[last] = at(list, other)
    list[other] = swapped
  }
  return list
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

import type { Team } from '../team.ts'
import { mostSummed, type SharedNumbers } from './shared-numbers.ts'

export interface Membership {
  readonly rank: number
  readonly size: number
  readonly numbers: SharedNumbers
  /** Gives a value to a meeting; the values of all by rank when all have given theirs. */
  meet(meeting: number, value: unknown): Promise<readonly unknown[]>
}

/** The team of one process, for one batch: all processes count their meetings alike. */
export function teamOf({ rank, size, numbers, meet }: Membership): Team {
  let [meetings, sums] = [0, 0]
  // every process gives a value of the same type to a meeting
  const gather = async <T>(value: T) => (await meet(++meetings, value)) as readonly T[]
  return {
    rank,
    size,
    gather,
    mostSummed,
    async sum(own) {
      const area = sums++ % 2
      numbers.put(area, rank, own)
      await gather(null)
      numbers.addSlice(area, rank, own)
      await gather(null)
      return numbers.sums(area, rank, own.length)
    },
  }
}

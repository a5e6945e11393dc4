import { mixBits } from '../../engine/shared/hash.ts'

/** A 32-bit seed for each completion of a prompt, well mixed so that neighbouring seeds draw unrelated tokens. */
export function completionSeeds(seed: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => mixBits(seed ^ mixBits(i + 1)))
}

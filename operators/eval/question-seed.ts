import { createHash } from '../../engine/platform/digests.ts'

/** A 32-bit seed from the run's seed and a question's id. */
export function seedOf(seed: number, id: string): number {
  return createHash('sha256').update(`${seed}:${id}`).digest().readUInt32LE(0)
}

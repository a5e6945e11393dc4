export type CombineRule = 'code' | 'paper'

export interface CombineOptions {
  /** `code`: as the published program. `paper`: a completion without the form earns `zeroReplacement` even if right. */
  rule: CombineRule
  /** Takes the place of a reward that is exactly 0. */
  zeroReplacement: number
}

/** accuracy + (2 · accuracy − 1) · format: the form counts for a right answer and against a wrong one (Specification 5.6). */
export function combineRewards(
  accuracy: number,
  format: number,
  { rule, zeroReplacement }: CombineOptions,
): number {
  if (rule === 'paper' && format === 0) return zeroReplacement
  const reward = accuracy + (2 * accuracy - 1) * format
  return reward === 0 ? zeroReplacement : reward
}

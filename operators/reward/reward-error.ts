/** A group that cannot be scored. */
export class RewardError extends Error {
  override readonly name = 'RewardError'
  readonly code = 'missing-solution'
}

/** A group that cannot be scored, or a scorer outside of the program that did not do its part. */
export class RewardError extends Error {
  override readonly name = 'RewardError'
  readonly code: RewardErrorCode

  constructor(code: RewardErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export type RewardErrorCode =
  | 'missing-solution'
  | 'missing-reward'
  | 'bad-weights'
  | 'late'
  | 'aborted'
  | 'not-started'
  | 'failed'
  | 'bad-answer'

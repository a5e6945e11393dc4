import { CodedError } from '../../engine/shared/errors.ts'
/** A group that cannot be scored, or a scorer outside of the program that did not do its part. */
export class RewardError extends CodedError<RewardErrorCode> {}

export type RewardErrorCode =
  | 'missing-solution'
  | 'missing-reward'
  | 'not-combined'
  | 'bad-reward'
  | 'bad-weights'
  | 'late'
  | 'aborted'
  | 'not-started'
  | 'failed'
  | 'bad-answer'
  | 'bad-judge'

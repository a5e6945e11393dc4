import { CodedError } from '../../engine/shared/errors.ts'

/** What a group of completions lacks for the next step of GRPO, or what went wrong with it. */
export class GroupError extends CodedError<GroupErrorCode> {}

export type GroupErrorCode =
  | 'small-group'
  | 'missing-reward'
  | 'missing-advantage'
  | 'missing-reference'
  | 'bad-reference'
  | 'missing-log-probs'
  | 'bad-loss'
  | 'no-pair'
  | 'missing-text'
  | 'not-finite'
  | 'trained-vision'
  | 'nothing-to-learn'
  | 'uniform-rewards'
  | 'all-truncated'
  | 'still-reward'
  | 'still-parameter'

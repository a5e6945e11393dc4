import { CodedError } from '../../engine/shared/errors.ts'

/**
 * A judge that did not do its part. `busy` and `unanswered`: it may do so later; `rejected`: not for this answer;
 * `refused`: for none. `bad-judge`: its config is wrong.
 */
export class JudgeError extends CodedError<'busy' | 'unanswered' | 'rejected' | 'refused' | 'bad-judge'> {
  /** Seconds that the judge wants to be left alone. */
  readonly waitSeconds: number

  constructor(code: JudgeError['code'], message: string, waitSeconds = 0) {
    super(code, message)
    this.waitSeconds = waitSeconds
  }
}

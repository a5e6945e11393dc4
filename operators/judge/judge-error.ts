import { CodedError } from '../../engine/shared/errors.ts'

/**
 * A judge that did not do its part. `busy` and `unanswered`: it may do so later; `rejected`: not for this answer;
 * `refused`: for none. `bad-judge`: its config is wrong.
 */
export class JudgeError extends CodedError<'busy' | 'unanswered' | 'rejected' | 'refused' | 'bad-judge'> {
  /** Seconds that the judge wants to be left alone. */
  readonly waitSeconds: number
  /** Whether there is no server at its address, or no way to it. */
  readonly isNobody: boolean

  constructor(code: JudgeError['code'], message: string, { waitSeconds = 0, isNobody = false } = {}) {
    super(code, message)
    this.waitSeconds = waitSeconds
    this.isNobody = isNobody
  }
}

import { CodedError } from '../../engine/shared/errors.ts'
/**
 * An evaluation that cannot go on, told in one line. Codes: `other-recipe`, `incomplete`, `conflict`, `no-results`,
 * `bad-results`, `other-benchmark`, `no-held-out`, `many-failures`.
 */
export class EvaluationError extends CodedError {
  override readonly remedy =
    this.code === 'no-results' ? 'name the folder that an evaluation was given as "out"' : undefined
}

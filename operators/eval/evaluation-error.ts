import { CodedError } from '../../engine/shared/errors.ts'
/**
 * An evaluation that cannot go on, told in one line. Codes: `other-recipe`, `incomplete`, `conflict`, `no-results`,
 * `bad-results`, `other-benchmark`, `no-held-out`, `many-failures`.
 */
export class EvaluationError extends CodedError {}

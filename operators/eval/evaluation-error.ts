/**
 * An evaluation that cannot go on, told in one line. Codes: `other-recipe`, `incomplete`, `conflict`, `no-results`,
 * `bad-results`, `no-held-out`.
 */
export class EvaluationError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** A group whose advantages cannot be computed. */
export class AdvantageError extends Error {
  override readonly name = 'AdvantageError'
  readonly code: 'small-group' | 'missing-reward' | 'missing-advantage'

  constructor(code: 'small-group' | 'missing-reward' | 'missing-advantage', message: string) {
    super(message)
    this.code = code
  }
}

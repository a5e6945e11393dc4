export type TextErrorCode = 'unbalanced-conversation' | 'label-mismatch'

/** A conversation that cannot be rendered or supervised; the message says which and why. */
export class TextError extends Error {
  override readonly name = 'TextError'
  readonly code: TextErrorCode

  constructor(code: TextErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** A conversation that nothing can be learned from, or a step that would spoil the weights. */
export class ExampleError extends Error {
  override readonly name = 'ExampleError'
  readonly code: 'no-conversation' | 'image-count' | 'nothing-to-learn' | 'not-finite'

  constructor(code: ExampleError['code'], message: string) {
    super(message)
    this.code = code
  }
}

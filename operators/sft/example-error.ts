import { CodedError } from '../../engine/shared/errors.ts'
/** A conversation that nothing can be learned from, or a step that would spoil the weights. */
export class ExampleError extends CodedError<
  'no-conversation' | 'image-count' | 'nothing-to-learn' | 'not-finite'
> {}

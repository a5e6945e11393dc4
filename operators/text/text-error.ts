import { CodedError } from '../../engine/shared/errors.ts'
export type TextErrorCode = 'unbalanced-conversation' | 'label-mismatch'

/** A conversation that cannot be rendered or supervised; the message says which and why. */
export class TextError extends CodedError<TextErrorCode> {}

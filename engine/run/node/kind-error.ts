import { CodedError } from '../../shared/errors.ts'

/** An item that is not of the kind of the input that it reached. */
export class KindError extends CodedError<'wrong-kind'> {
  override readonly remedy = 'make the fields that are missing with stream.map, or mend the row'
}

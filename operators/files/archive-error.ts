import { CodedError } from '../../engine/shared/errors.ts'

/** Something about an archive, or about a file in it. */
export class ArchiveError extends CodedError {}

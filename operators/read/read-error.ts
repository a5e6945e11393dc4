import { CodedError } from '../../engine/shared/errors.ts'
/**
 * A data file that cannot be used; a line for each problem. Codes: `no-file`, `bad-question`, `no-questions`,
 * `bad-conversation`, `no-conversations`, `duplicate-id`, `bad-shard`, `packed`, `not-utf8`.
 */
export class ReadError extends CodedError {}

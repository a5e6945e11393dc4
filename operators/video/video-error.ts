import { CodedError } from '../../engine/shared/errors.ts'
/**
 * A clip that cannot be used, told in one line: the file, what is wrong, what ffmpeg said. Codes: `no-ffmpeg`,
 * `no-file`, `not-a-video`, `no-video-stream`, `no-frames`, `no-frame-rate`,
 * `decode-failed`, `deadline`, `aborted`, `bad-index`, `bad-folder`, `bad-bounds`.
 */
export class VideoError extends CodedError {}

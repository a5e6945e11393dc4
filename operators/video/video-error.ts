/**
 * A clip that cannot be used, told in one line: the file, what is wrong, what ffmpeg said. Codes: `no-ffmpeg`,
 * `no-file`, `not-a-video`, `no-video-stream`, `no-frames`, `no-frame-rate`,
 * `decode-failed`, `deadline`, `aborted`, `bad-index`, `bad-folder`, `bad-bounds`.
 */
export class VideoError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

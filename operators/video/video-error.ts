import { CodedError } from '../../engine/shared/errors.ts'
/**
 * What a clip or ffmpeg ended with, told in one line: the file, what is wrong, what ffmpeg said. About the clip: `no-file`,
 * `not-a-video`, `no-video-stream`, `no-frames`, `no-frame-rate`, `damaged`, `decode-failed`, `bad-folder`. About what is
 * asked of it: `bad-index`, `bad-bounds`, `bad-frame`. About the machine: `no-ffmpeg`, `ffmpeg-failed`, `ffmpeg-killed`,
 * `encode-failed`, `deadline`, `aborted`.
 */
export class VideoError extends CodedError {}

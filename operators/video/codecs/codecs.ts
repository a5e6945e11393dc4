import type { Clip, Sample } from '../../kinds.ts'
import type { Picture } from '../picture.ts'

export interface OpenOptions {
  /** Longest time without progress. */
  deadlineSeconds: number
  /** Rate of folders of pictures, which do not say it themselves. */
  folderFramesPerSecond: number
  signal?: AbortSignal
}

/** What decodes clips and writes pictures; `imports` in package.json says which module `#codecs` is. */
export interface Codecs {
  /** Opens a clip, whose frames are decoded when they are asked for. Throws a `VideoError`: one line with the file's name. */
  openClip(path: string, sample: Sample, options: OpenOptions): Promise<Clip>
  /** Writes a picture as JPEG; the file appears when it is whole. `quality` is ffmpeg's `-q:v`, 2 is best, 31 smallest. */
  writeJpeg(path: string, picture: Picture, quality: number, signal?: AbortSignal): Promise<void>
}

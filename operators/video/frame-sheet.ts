import { codecs } from '#codecs'
import { createHash } from '../../engine/platform/digests.ts'
import { existsSync } from '../../engine/platform/files.ts'
import { join } from '../../engine/platform/paths.ts'
import type { Clip, Sample } from '../kinds.ts'
import { type Picture, thumbnail, tile } from './picture.ts'

const columns = 8

export interface FrameSheet {
  /** The clip; what is read of it is drawn too. */
  watched: Clip
  /** With the picture's path, from the run's folder, in its field `frames`. */
  sample: Sample
  /** Whether the picture is not in the run's folder yet. */
  isMissing(directory: string): boolean
  /** Writes the picture unless it is there already. */
  write(directory: string, signal: AbortSignal): Promise<void>
}

/** A picture of the frames that are read of a clip, small and side by side, named by the clip and their numbers. */
export function frameSheet(clip: Clip, indices: readonly number[], frameWidth: number): FrameSheet {
  const { width, height } = clip
  const name = createHash('sha256')
    .update(JSON.stringify([clip.path, indices, frameWidth]))
    .digest('hex')
  const path = `frames/${name.slice(0, 16)}.jpg`
  const pictures: Picture[] = []
  const watched: Clip = {
    ...clip,
    async *frames(...about) {
      for await (const pixels of clip.frames(...about)) {
        pictures.push(thumbnail({ width, height, pixels }, frameWidth))
        yield pixels
      }
    },
  }
  return {
    watched,
    sample: { ...clip.sample, fields: { ...clip.sample.fields, frames: path } },
    isMissing: directory => !existsSync(join(directory, path)),
    async write(directory, signal) {
      const file = join(directory, path)
      if (!existsSync(file)) await codecs.writeJpeg(file, tile(pictures, columns), 5, signal)
    },
  }
}

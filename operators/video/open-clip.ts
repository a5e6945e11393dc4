import { stat } from 'node:fs/promises'
import type { Member } from '../files/member.ts'
import { packedAt } from '../files/packed-file.ts'
import { unpack } from '../files/unpack.ts'
import type { Clip, Sample } from '../kinds.ts'
import { clipOf } from './clip-of.ts'
import type { OpenOptions } from './codecs/codecs.ts'
import { decodeFrames } from './decode-frames.ts'
import { mediaInput, pictureInput } from './ffmpeg-input.ts'
import { factsOf } from './known-clips.ts'
import { fileMedia, type Media, spanMedia } from './media.ts'
import { contents, filesIn, openPictures, type PictureFile } from './picture-folder.ts'
import { expectFile } from './probe.ts'
import { seekFrames } from './seek-frames.ts'

/**
 * Opens a video file, or a folder of pictures named by number (`00001.jpg`, …), as a clip whose frames are decoded when
 * they are asked for. Either may lie in an archive, which the path leads through. Throws a `VideoError`: one line with the
 * file's name.
 */
export async function openClip(path: string, sample: Sample, options: OpenOptions): Promise<Clip> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return openFolder(path, await filesIn(path), sample, options)
  const packed = found ? undefined : await packedAt(path)
  if (packed) {
    if ('folder' in packed) return openFolder(path, packed.folder, sample, options)
    return openMember(path, packed.member, sample, options)
  }
  await expectFile(path)
  return openMedia(await fileMedia(path), sample, options)
}

/** ffmpeg reads what is stored where it lies; what is compressed is on disk until the clip is closed. */
async function openMember(path: string, member: Member, sample: Sample, options: OpenOptions): Promise<Clip> {
  const bytes = member.fault === undefined ? await member.stored() : undefined
  const stored = bytes && spanMedia(path, bytes)
  if (stored) return openMedia(stored, sample, options)
  const { path: unpacked, remove } = await unpack(member, path)
  try {
    const clip = await openMedia({ ...(await fileMedia(unpacked)), path }, sample, options)
    return Object.assign(clip, { close: remove })
  } catch (error) {
    remove()
    throw error
  }
}

async function openMedia(media: Media, sample: Sample, options: OpenOptions): Promise<Clip> {
  const { path } = media
  const facts = await factsOf(media, options)
  const { width, height, seek } = facts
  const source = { path, media, open: mediaInput(media), width, height }
  return clipOf({ path, sample, facts, firstFrame: 0 }, options, (indices, limits) =>
    seek ? seekFrames(source, seek, indices, limits) : decodeFrames(source, indices, limits),
  )
}

async function openFolder(
  path: string,
  files: ReadonlyMap<string, PictureFile>,
  sample: Sample,
  options: OpenOptions,
): Promise<Clip> {
  const folder = await openPictures(path, files, options)
  const { pictures, format, firstNumber, width, height, damage } = folder
  const rate = [options.folderFramesPerSecond, 1] as const
  const facts = { frameCount: pictures.length, rate, width, height, ...(damage !== undefined && { damage }) }
  const open = pictureInput(format)
  return clipOf({ path, sample, facts, firstFrame: firstNumber }, options, (indices, limits) => {
    // Only the pictures asked for are read: they arrive at ffmpeg as frames 0, 1, …
    const input = () => contents(indices.flatMap(index => pictures[index] ?? []))
    return decodeFrames(
      { path, open, input, width, height },
      indices.map((_, i) => i),
      limits,
    )
  })
}

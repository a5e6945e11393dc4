import { createReadStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { finishFfmpeg } from './ffmpeg.ts'
import { pictureInput } from './ffmpeg-input.ts'
import { damageIn, isAboutFile, whatFfmpegSaid, withoutPrefixes } from './ffmpeg-log.ts'
import { passthrough } from './find-ffmpeg.ts'
import { failed, type ProbeOptions } from './probe.ts'
import { VideoError } from './video-error.ts'

export interface PictureFolder {
  /** Paths of the pictures in the order of their numbers, which have no gaps. */
  paths: readonly string[]
  format: 'jpeg' | 'png'
  /** Number of the first picture. */
  firstNumber: number
  width: number
  height: number
  damage?: string
}

/** Folders of fewer bytes are decoded once when they are opened: nothing less finds a picture that is cut. */
const bytesDecodedWhole = 64e6

/** Lists a folder of pictures named by number (`00001.jpg`, …) and decodes them; the first one gives their size. */
export async function openPictures(folder: string, options: ProbeOptions): Promise<PictureFolder> {
  const names = (await readdir(folder)).filter(name => /^\d+\.(jpe?g|png)$/i.test(name))
  const ordered = names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
  const [first] = ordered
  if (first === undefined)
    throw new VideoError(
      'bad-folder',
      `${folder}: a folder without pictures named by number, such as 00001.jpg`,
    )
  const format = formatOf(first)
  const firstNumber = Number.parseInt(first, 10)
  for (const [i, name] of ordered.entries())
    if (Number.parseInt(name, 10) !== firstNumber + i || formatOf(name) !== format)
      throw new VideoError(
        'bad-folder',
        `${join(folder, name)}: pictures must be numbered without gaps and of one format`,
      )
  const paths = ordered.map(name => join(folder, name))
  const sizes = await Promise.all(paths.map(async path => (await stat(path)).size))
  const bytes = sizes.reduce((sum, size) => sum + size, 0)
  const checked = bytes <= bytesDecodedWhole ? paths : paths.slice(0, 1)
  return { paths, format, firstNumber, ...(await decodePictures(folder, checked, format, options)) }
}

/** The bytes of files one after the other. */
export async function* contents(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* createReadStream(path)
}

const formatOf = (name: string): 'jpeg' | 'png' => (/png$/i.test(extname(name)) ? 'png' : 'jpeg')

async function decodePictures(
  folder: string,
  paths: readonly string[],
  format: 'jpeg' | 'png',
  options: ProbeOptions,
): Promise<{ width: number; height: number; damage?: string }> {
  const decode = ['-map', '0:V:0', ...(await passthrough()), '-f', 'null', '-']
  let cut: string | undefined
  async function* looked(): AsyncGenerator<Uint8Array> {
    for (const path of paths) {
      const bytes = await readFile(path)
      if (!hasEnd(bytes, format)) cut ??= `${basename(path)} has no end`
      yield bytes
    }
  }
  const limits = { subject: folder, ...options, input: looked() }
  const end = await finishFfmpeg([...pictureInput(format), ...decode], limits)
  const log = withoutPrefixes(end.log)
  const [, width, height] = /^ *Stream #.*: Video: wrapped_avframe.*, (\d+)x(\d+)/m.exec(log) ?? []
  if (width === undefined) {
    if (end.exitCode !== 0 && !isAboutFile(end.log)) throw failed(folder, end)
    const said = whatFfmpegSaid(end.log, folder)
    throw new VideoError(
      'not-a-video',
      `${paths[0]}: not a picture that ffmpeg can read; ffmpeg said: ${said}`,
    )
  }
  const count = Number([...log.matchAll(/frame=\s*(\d+)/g)].at(-1)?.[1] ?? 0)
  const missing = count < paths.length ? `${count} of ${paths.length} pictures decode` : undefined
  const damage = cut ?? missing ?? damageIn(end.log, folder)
  return { width: Number(width), height: Number(height), ...(damage !== undefined && { damage }) }
}

/** The mark of the end comes after the last pixels; some writers add bytes of their own after it. */
function hasEnd(picture: Buffer, format: 'jpeg' | 'png'): boolean {
  if (format === 'png') return picture.lastIndexOf('IEND') >= 0
  return picture.lastIndexOf('ffd9', undefined, 'hex') > picture.lastIndexOf('ffda', undefined, 'hex')
}

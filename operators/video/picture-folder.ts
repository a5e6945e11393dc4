import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { isNumberedPicture } from '../files/video-extensions.ts'
import { finishFfmpeg } from './ffmpeg.ts'
import { pictureInput } from './ffmpeg-input.ts'
import { damageIn, isAboutFile, whatFfmpegSaid, withoutPrefixes } from './ffmpeg-log.ts'
import { passthrough } from './find-ffmpeg.ts'
import { failed, type ProbeOptions } from './probe.ts'
import { VideoError } from './video-error.ts'

/** A picture on disk or in an archive. */
export interface PictureFile {
  size: number
  stream(): AsyncIterable<Uint8Array>
}

export interface PictureFolder {
  /** In the order of their numbers, which have no gaps. */
  pictures: readonly PictureFile[]
  format: 'jpeg' | 'png'
  /** Number of the first picture. */
  firstNumber: number
  width: number
  height: number
  damage?: string
}

/** Folders of fewer bytes are decoded once when they are opened: nothing less finds a picture that is cut. */
const bytesDecodedWhole = 64e6

/** The files of a folder by their names. */
export async function filesIn(folder: string): Promise<Map<string, PictureFile>> {
  const entries = await readdir(folder)
  const files = entries.map(async (name): Promise<[string, PictureFile]> => {
    const path = join(folder, name)
    return [name, { size: (await stat(path)).size, stream: () => createReadStream(path) }]
  })
  return new Map(await Promise.all(files))
}

/** Takes the pictures named by number (`00001.jpg`, …) of a folder and decodes them; the first one gives their size. */
export async function openPictures(
  folder: string,
  files: ReadonlyMap<string, PictureFile>,
  options: ProbeOptions,
): Promise<PictureFolder> {
  const numbered = [...files].filter(([name]) => isNumberedPicture(name))
  const ordered = numbered.sort(([one], [other]) => Number.parseInt(one, 10) - Number.parseInt(other, 10))
  const [first] = ordered
  if (first === undefined)
    throw new VideoError(
      'bad-folder',
      `${folder}: a folder without pictures named by number, such as 00001.jpg`,
    )
  const format = formatOf(first[0])
  const firstNumber = Number.parseInt(first[0], 10)
  for (const [i, [name]] of ordered.entries())
    if (Number.parseInt(name, 10) !== firstNumber + i || formatOf(name) !== format)
      throw new VideoError(
        'bad-folder',
        `${join(folder, name)}: pictures must be numbered without gaps and of one format`,
      )
  const pictures = ordered.map(([, picture]) => picture)
  const large = ordered.find(([, { size }]) => size > largestPicture)
  if (large)
    throw new VideoError(
      'bad-folder',
      `${join(folder, large[0])}: a picture must have at most ${largestPicture} bytes, found ${large[1].size}`,
    )
  const bytes = pictures.reduce((sum, { size }) => sum + size, 0)
  const checked = bytes <= bytesDecodedWhole ? ordered : ordered.slice(0, 1)
  return { pictures, format, firstNumber, ...(await decodePictures(folder, checked, format, options)) }
}

/** A picture is held in memory as a whole. */
const largestPicture = 2 ** 28

/** The bytes of files one after the other. */
export async function* contents(pictures: readonly PictureFile[]): AsyncGenerator<Uint8Array> {
  for (const picture of pictures) yield* picture.stream()
}

const formatOf = (name: string): 'jpeg' | 'png' => (/png$/i.test(extname(name)) ? 'png' : 'jpeg')

async function decodePictures(
  folder: string,
  pictures: readonly (readonly [string, PictureFile])[],
  format: 'jpeg' | 'png',
  options: ProbeOptions,
): Promise<{ width: number; height: number; damage?: string }> {
  const decode = ['-map', '0:V:0', ...(await passthrough()), '-f', 'null', '-']
  let cut: string | undefined
  async function* looked(): AsyncGenerator<Uint8Array> {
    for (const [name, picture] of pictures) {
      const chunks: Uint8Array[] = []
      for await (const chunk of picture.stream()) chunks.push(chunk)
      const bytes = Buffer.concat(chunks)
      if (!hasEnd(bytes, format)) cut ??= `${name} has no end`
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
      `${folder}/${pictures[0]?.[0]}: not a picture that ffmpeg can read; ffmpeg said: ${said}`,
    )
  }
  const count = Number([...log.matchAll(/frame=\s*(\d+)/g)].at(-1)?.[1] ?? 0)
  const missing = count < pictures.length ? `${count} of ${pictures.length} pictures decode` : undefined
  const damage = cut ?? missing ?? damageIn(end.log, folder)
  return { width: Number(width), height: Number(height), ...(damage !== undefined && { damage }) }
}

/** The mark of the end comes after the last pixels; some writers add bytes of their own after it. */
function hasEnd(picture: Buffer, format: 'jpeg' | 'png'): boolean {
  if (format === 'png') return picture.lastIndexOf('IEND') >= 0
  return picture.lastIndexOf('ffd9', undefined, 'hex') > picture.lastIndexOf('ffda', undefined, 'hex')
}

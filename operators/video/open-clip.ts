import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Clip, Sample } from '../kinds.ts'
import { decodeFrames, type FrameSource } from './decode-frames.ts'
import { sortedUnique } from './frame-indices.ts'
import { inputOf, type ProbeOptions, probeVideo, type VideoFacts } from './probe.ts'
import { VideoError } from './video-error.ts'

export interface OpenOptions extends ProbeOptions {
  /** Rate of folders of pictures, which do not say it themselves. */
  folderFramesPerSecond: number
}

/**
 * Opens a video file, or a folder of pictures named by number (`00001.jpg`, …), as a clip. Counts the frames that
 * decode; no pixel is converted before `read` or `frames`. Throws a `VideoError`: one line with the file's name.
 */
export async function openClip(path: string, sample: Sample, options: OpenOptions): Promise<Clip> {
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() ? openFolder(path, sample, options) : openFile(path, sample, options)
}

async function openFile(path: string, sample: Sample, options: OpenOptions): Promise<Clip> {
  const facts = await probeVideo(path, options)
  const { width, height } = facts
  return clip({ path, sample, facts, firstFrame: 0 }, options, () => ({
    path,
    open: inputOf(path),
    width,
    height,
  }))
}

async function openFolder(path: string, sample: Sample, options: OpenOptions): Promise<Clip> {
  const names = (await readdir(path)).filter(name => /^\d+\.(jpe?g|png)$/i.test(name))
  const pictures = names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
  const [first] = pictures
  if (first === undefined)
    throw new VideoError(
      'bad-folder',
      `${path}: a folder without pictures named by number, such as 00001.jpg`,
    )
  const firstFrame = Number.parseInt(first, 10)
  for (const [i, name] of pictures.entries())
    if (Number.parseInt(name, 10) !== firstFrame + i || pictureFormat(name) !== pictureFormat(first))
      throw new VideoError(
        'bad-folder',
        `${join(path, name)}: pictures must be numbered without gaps and of one format`,
      )
  const { width, height } = await probeVideo(join(path, first), options)
  const rate = [options.folderFramesPerSecond, 1] as const
  const facts = { frameCount: pictures.length, rate, width, height }
  const open = ['-noautorotate', '-f', `${pictureFormat(first)}_pipe`, '-i', 'pipe:0']
  // Only the pictures asked for are read: they arrive at ffmpeg as frames 0, 1, …
  return clip({ path, sample, facts, firstFrame }, options, indices => ({
    ...{ path, open, width, height },
    input: () => contents(indices.map(index => join(path, pictures[index] ?? ''))),
    numbers: indices.map((_, i) => i),
  }))
}

const pictureFormat = (name: string): string => (/png$/i.test(extname(name)) ? 'png' : 'jpeg')

async function* contents(paths: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const path of paths) yield* createReadStream(path)
}

interface ClipFacts {
  path: string
  sample: Sample
  facts: VideoFacts
  firstFrame: number
}

/** `sourceOf` is given the frames wanted, once each and increasing; `numbers` are theirs in what ffmpeg will see. */
function clip(
  { path, sample, facts, firstFrame }: ClipFacts,
  options: ProbeOptions,
  sourceOf: (indices: readonly number[]) => FrameSource & { numbers?: readonly number[] },
): Clip {
  const { frameCount, rate, width, height, damage } = facts
  const framesPerSecond = rate[0] / rate[1]
  async function* frames(indices: readonly number[], signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const unique = sortedUnique(indices)
    const wrong = unique.find(index => !Number.isInteger(index) || index < 0 || index >= frameCount)
    if (wrong !== undefined)
      throw new VideoError(
        'bad-index',
        `${path}: no frame ${wrong}; the clip has frames 0 to ${frameCount - 1}`,
      )
    const source = sourceOf(unique)
    const repeats = new Map<number, number>()
    for (const index of indices) repeats.set(index, (repeats.get(index) ?? 0) + 1)
    let at = 0
    const limits = { ...options, signal: signal ?? options.signal }
    for await (const frame of decodeFrames(source, source.numbers ?? unique, limits)) {
      const index = unique[at++]
      for (let times = repeats.get(index ?? 0) ?? 0; times > 0; times--) yield frame
    }
  }
  return {
    ...{ sample, path, frameCount, framesPerSecond, durationSeconds: frameCount / framesPerSecond },
    ...{ width, height, firstFrame, frames, ...(damage !== undefined && { damage }) },
    async read(indices, signal) {
      const decoded = new Map<number, Uint8Array>()
      const unique = sortedUnique(indices)
      for await (const frame of frames(unique, signal)) decoded.set(unique[decoded.size] ?? 0, frame)
      return indices.flatMap(index => decoded.get(index) ?? [])
    },
  }
}

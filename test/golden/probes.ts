import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clip, Sample } from '../../operators/kinds.ts'
import { strided } from '../../operators/video/frame-indices.ts'
import { openClip } from '../../operators/video/open-clip.ts'
import { type FrameChoice, pickFrames } from '../../operators/video/pick-frames.ts'
import { VideoError } from '../../operators/video/video-error.ts'
import { differences, type Row, row } from './row.ts'

interface Manifest {
  probes: Probe[]
  media: Media[]
  questions?: Question[]
}

interface Question {
  id: string
  frames: number
  avg_frame_rate?: string
  /** Rule S by number of frames. */
  stride_indices?: Record<string, number[]>
}

interface Probe {
  video: string
  first_index: number
  rules: { rule: 'L' | 'M'; K: number; bound: [number, number] | null; indices: number[]; unique?: number }[]
  frames_mean_rgb: Record<string, [number, number, number]>
}

interface Media {
  path: string
  frames: number
  avg_frame_rate: string | null
  width: number | null
  height: number | null
  broken: { kind: string } | null
}

const limitSeconds = 20
const options = { deadlineSeconds: limitSeconds, folderFramesPerSecond: 3 }

/**
 * Checks a folder's MANIFEST.json: of every clip under `probes` the indices of each rule (differing ones, none may)
 * and the mean RGB of each frame (within 2 levels); of every file under `media` that it gives its frames, or an error
 * of one line naming it where it is broken, within 20 seconds.
 */
export async function checkProbes(folder: string): Promise<Row[]> {
  const manifest: Manifest = JSON.parse(await readFile(join(folder, 'MANIFEST.json'), 'utf8'))
  const rows: Row[] = []
  for (const probe of manifest.probes) rows.push(...(await checkProbe(folder, probe)))
  rows.push(...checkStrides(manifest))
  for (const media of manifest.media) rows.push(...(await checkMedia(folder, media)))
  return rows
}

async function checkProbe(folder: string, probe: Probe): Promise<Row[]> {
  const clip = await open(folder, probe.video)
  const rows = probe.rules.map(({ rule, K, bound, indices, unique }) => {
    const choice: FrameChoice = { ...defaults, rule, count: K, bounded: bound !== null }
    const fields = bound ? { start: bound[0], end: bound[1] } : {}
    const bounded: Clip = { ...clip, sample: { ...clip.sample, fields } }
    const found = pickFrames(bounded, choice).map(index => index + clip.firstFrame)
    const once = pickFrames(bounded, { ...choice, unique: true }).length
    const wrong = differences(found, indices) + Number(unique !== undefined && once !== unique)
    const between = bound ? ` from ${bound[0]} to ${bound[1]} s` : ''
    return row(`${probe.video} rule ${rule}, ${K} frames${between}: differing indices`, wrong, 0)
  })
  const numbers = Object.keys(probe.frames_mean_rgb).map(Number)
  let at = 0
  let worst = 0
  for await (const frame of clip.frames(numbers.map(number => number - probe.first_index))) {
    const wanted = probe.frames_mean_rgb[numbers[at++]]
    worst = Math.max(worst, ...meanRgb(frame).map((mean, channel) => Math.abs(mean - wanted[channel])))
  }
  return [
    ...rows,
    row(`${probe.video} mean RGB of ${at} frames, levels`, at === numbers.length ? worst : Infinity, 2),
  ]
}

function checkStrides({ questions = [] }: Manifest): Row[] {
  return questions.flatMap(({ id, frames, avg_frame_rate, stride_indices = {} }) => {
    return Object.entries(stride_indices).map(([count, indices]) => {
      const rate = fraction(avg_frame_rate ?? '')
      const wrong = differences(strided(frames / rate, rate, Number(count)), indices)
      return row(`${id} rule S, ${count} frames: differing indices`, wrong, 0)
    })
  })
}

/** Decoders differ by a frame or two where a file is cut; the rate there is that of the header. */
async function checkMedia(folder: string, media: Media): Promise<Row[]> {
  const { path, frames, avg_frame_rate, width, height, broken } = media
  const started = performance.now()
  const clip = await open(folder, path).catch(clipError)
  const seconds = row(`${path} seconds`, (performance.now() - started) / 1000, limitSeconds)
  if (clip instanceof VideoError) {
    const clear = frames === 0 && clip.message.includes(path) && !clip.message.includes('\n')
    return [row(`${path} (${broken?.kind ?? 'not broken'}): ${clip.code}`, clear ? 0 : 1, 0), seconds]
  }
  const rateError = Math.abs(clip.framesPerSecond / fraction(avg_frame_rate ?? '') - 1)
  const sizeError = Math.abs(clip.width - (width ?? 0)) + Math.abs(clip.height - (height ?? 0))
  return [
    row(
      `${path} frames${broken ? ` (${broken.kind})` : ''}`,
      Math.abs(clip.frameCount - frames),
      broken ? 2 : 0,
    ),
    row(`${path} rate, relative`, rateError, 1e-12),
    row(`${path} size`, sizeError, 0),
    seconds,
  ]
}

const fraction = (text: string): number => {
  const [numerator = 0, denominator = 1] = text.split('/').map(Number)
  return numerator / denominator
}

const defaults: FrameChoice = {
  mode: 'count',
  count: 16,
  maxFrames: 64,
  rule: 'L',
  unique: false,
  bounded: false,
}

function open(folder: string, path: string): Promise<Clip> {
  const sample: Sample = { video: path, question: '', fields: {} }
  return openClip(join(folder, path), sample, options)
}

function clipError(error: unknown): VideoError {
  if (error instanceof VideoError) return error
  throw error
}

/** Mean of red, green and blue over a packed frame. */
export function meanRgb(frame: Uint8Array): [number, number, number] {
  const sums: [number, number, number] = [0, 0, 0]
  for (let i = 0; i < frame.length; i++) sums[i % 3] += frame[i]
  const pixels = frame.length / 3
  return [sums[0] / pixels, sums[1] / pixels, sums[2] / pixels]
}

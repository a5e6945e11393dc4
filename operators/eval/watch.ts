import { join } from 'node:path'
import { filter, share } from 'rxjs'
import { type Emission, type Item, operator } from '../../engine/operator.ts'
import { sharedDevice } from '../device.ts'
import type { Clip } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import type { Question } from '../read/benchmark-kinds.ts'
import { sortedUnique } from '../video/frame-indices.ts'
import { framePixels } from '../video/frame-pixels.ts'
import { openClip } from '../video/open-clip.ts'
import { pickFrames } from '../video/pick-frames.ts'
import { type Picture, thumbnail, tile, writeJpeg } from '../video/pictures.ts'
import { VideoError } from '../video/video-error.ts'
import type { FeatureCache } from './feature-cache.ts'
import type { Answer, AskedQuestion, ClipQuestions, FailureOutcome, Watched } from './kinds.ts'
import { fileName, resultsFolder } from './results/store.ts'
import { wordsOf } from './subtitles.ts'

const config = {
  folder: { type: 'string', default: '', description: 'Folder of the results; empty for one in the run.' },
  model: {
    type: 'string',
    resource: 'model',
    default: '',
    description: 'The model that will see the frames; empty when none will, and no GPU is needed.',
  },
  cache: {
    type: 'string',
    resource: 'feature-cache',
    default: '',
    description: 'Where features may be already: what is there is not made pixels of again.',
  },
  count: { type: 'integer', minimum: 1, default: 16, description: 'Frames of one clip.' },
  mode: {
    type: 'string',
    enum: ['count', 'one-a-second'],
    default: 'count',
    description: 'Take `count` frames, or one for each whole second of the clip.',
  },
  maxFrames: { type: 'integer', minimum: 1, default: 64, description: 'Most frames in mode one-a-second.' },
  aspect: {
    type: 'string',
    enum: ['square', 'pad'],
    default: 'square',
    description:
      'Squash frames to the square, or put them in the middle of a square of the mean colour first.',
  },
  profile: {
    type: 'string',
    enum: ['published', 'strict'],
    default: 'strict',
    description:
      'strict: a clip that is cut or corrupt is an outcome. published: the frames that decode are used.',
  },
  sheetWidth: {
    type: 'integer',
    minimum: 0,
    default: 128,
    description: 'Width in pixels of each frame on the contact sheets for the report; 0 makes no sheets.',
  },
  deadlineSeconds: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 120,
    description: 'Time for each ffmpeg process; then it is killed and the clip counts as damaged.',
  },
  folderFramesPerSecond: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 3,
    description: 'Frame rate of folders of pictures.',
  },
  concurrency: { type: 'integer', minimum: 1, default: 1, description: 'Clips decoded at the same time.' },
} as const

/**
 * However many questions a clip has and however their frames differ, the frames that any of them sees are decoded once.
 * All questions count, done or not, so that a run that was stopped sees what an undisturbed one sees.
 */
export default operator({
  summary:
    'Decodes the frames of each clip for all its questions; what cannot be used is an answer of its own.',
  config,
  inputs: { clips: 'clip-questions' },
  outputs: { watched: { kind: 'watched', shape: ['F'] }, failures: 'answer' },
  dims: ({ count, mode, maxFrames }) => ({ F: mode === 'count' ? count : maxFrames }),
  memory: ({ model, count, mode, maxFrames, concurrency }, { sizes }) => {
    const { imageSize } = model === '' ? { imageSize: undefined } : sizes(model)
    const frames = concurrency * (mode === 'count' ? count : maxFrames)
    return imageSize === undefined
      ? []
      : [{ what: 'pixels of clips', bytes: frames * 3 * imageSize ** 2 * 4 }]
  },
  run: ({ clips }, settings, context) => {
    const folder = resultsFolder(settings.folder, context)
    const { signal } = context
    const watch = async (clip: ClipQuestions): Promise<Emission<Watched | Answer>[]> => {
      const started = performance.now()
      const failed = (questions: readonly Question[], error: unknown) => {
        const failure = { outcome: outcomeOf(error, signal), message: messageOf(error) }
        return questions
          .filter(({ fields }) => clip.pending.includes(fields.id))
          .map(question =>
            context.emit<Watched | Answer>({ question, failure, seconds: {} }, { key: question.fields.id }),
          )
      }
      try {
        const [sample] = clip.questions
        const opened = await openClip(clip.video, sample, { ...settings, signal })
        if (opened.damage !== undefined && settings.profile === 'strict')
          throw new VideoError('decode-failed', `${clip.video}: damaged; ffmpeg said: ${opened.damage}`)
        const { asked, faults } = await choose(opened, clip.questions, settings)
        const failures = faults.flatMap(({ question, error }) => failed([question], error))
        if (asked.length === 0) return failures
        const frames = sortedUnique(asked.flatMap(({ indices }) => indices))
        const thumbnails = new Map<number, Picture>()
        const known = await recall(opened.path, frames)
        const isDrawn = known?.features && settings.sheetWidth === 0
        const pixels = isDrawn ? undefined : await decode(opened, frames, thumbnails, !known?.features)
        const questions = await withSheets(sample.fields.clip, asked, thumbnails)
        const seconds = { decode: (performance.now() - started) / 1000 }
        const { video, pending } = clip
        const watched: Watched = { video, pending, questions, frames, seconds, ...known, ...pixels?.value }
        return [
          context.emit<Watched | Answer>(watched, { key: video, keep: false, ...pixels?.options }),
          ...failures,
        ]
      } catch (error) {
        if (isFatal(error, signal)) throw error
        return failed(clip.questions, error)
      }
    }

    /** What the cache has for these frames, and the name that they have there. */
    const recall = async (path: string, frames: readonly number[]) => {
      if (settings.model === '' || settings.cache === '') return undefined
      const cache = context.resource<FeatureCache>(settings.cache)
      const featureKey = await cache.keyOf(path, frames, settings.aspect)
      if (featureKey === undefined) return undefined
      const features = await cache.get(featureKey)
      return { featureKey, ...(features && { features }) }
    }

    /** The pixels for the model, if there is one, and small pictures for the sheets, in one pass. */
    const decode = async (
      clip: Clip,
      frames: readonly number[],
      thumbnails: Map<number, Picture>,
      forModel: boolean,
    ) => {
      const { width, height } = clip
      const keep = (i: number, pixels: Uint8Array) => {
        if (settings.sheetWidth > 0)
          thumbnails.set(frames[i] ?? 0, thumbnail({ width, height, pixels }, settings.sheetWidth))
      }
      if (settings.model === '' || !forModel) {
        let i = 0
        for await (const frame of clip.frames(frames, signal)) keep(i++, frame)
        return undefined
      }
      const { processor } = context.resource<LoadedModel>(settings.model)
      const device = await sharedDevice(context)
      const how = { processor, aspect: settings.aspect }
      const pixels = await framePixels(device, tapped(clip, keep), frames, how, signal)
      const bytes = frames.length * 3 * processor.size ** 2 * 4
      return { value: { pixels }, options: { bytes, dispose: () => device.freeTensor(pixels) } }
    }

    const withSheets = async (
      clip: string,
      asked: readonly AskedQuestion[],
      thumbnails: ReadonlyMap<number, Picture>,
    ): Promise<AskedQuestion[]> => {
      if (settings.sheetWidth === 0) return [...asked]
      const written = new Map<string, string>()
      const out: AskedQuestion[] = []
      for (const question of asked) {
        const shown = question.indices.join(',')
        let sheet = written.get(shown)
        if (sheet === undefined) {
          sheet = `frames/${fileName(`${clip}\n${shown}`)}.jpg`
          const pictures = question.indices.flatMap(index => thumbnails.get(index) ?? [])
          await writeJpeg(join(folder, sheet), tile(pictures, sheetColumns), 5, signal)
          written.set(shown, sheet)
        }
        out.push({ ...question, sheet })
      }
      return out
    }

    const all = clips.pipe(context.each(watch, { concurrency: settings.concurrency }), share())
    const isWatched = ({ value }: Item<Watched | Answer>) => 'frames' in value
    return { watched: all.pipe(filter(isWatched)), failures: all.pipe(filter(item => !isWatched(item))) }
  },
})

/** Frames in one row of a contact sheet. */
export const sheetColumns = 4

interface Choice {
  asked: AskedQuestion[]
  faults: { question: Question; error: unknown }[]
}

type Settings = { count: number; mode: 'count' | 'one-a-second'; maxFrames: number }

/** Which frames each question is asked about, and the words that it is asked with. */
async function choose(clip: Clip, questions: readonly Question[], settings: Settings): Promise<Choice> {
  const choice: Choice = { asked: [], faults: [] }
  for (const sample of questions) {
    try {
      const { count, mode, maxFrames } = settings
      const indices = pickFrames({ ...clip, sample }, { ...sample.fields.frames, count, mode, maxFrames })
      const seconds = indices.map(index => index / clip.framesPerSecond)
      const stated = sample.fields.duration
      const durationSeconds = typeof stated === 'number' ? stated : clip.durationSeconds
      const text = await wordsOf(sample, { seconds, durationSeconds })
      choice.asked.push({ sample, text, indices, framesPerSecond: clip.framesPerSecond })
    } catch (error) {
      choice.faults.push({ question: sample, error })
    }
  }
  return choice
}

/** The same clip, with each frame shown to `see` on its way. */
function tapped(clip: Clip, see: (i: number, frame: Uint8Array) => void): Clip {
  return {
    ...clip,
    async *frames(indices, signal) {
      let i = 0
      for await (const frame of clip.frames(indices, signal)) {
        see(i++, frame)
        yield frame
      }
    },
  }
}

function outcomeOf(error: unknown, signal: AbortSignal): FailureOutcome {
  if (isFatal(error, signal)) throw error
  if (!(error instanceof VideoError)) return 'error'
  if (error.code === 'no-file') return 'clip-missing'
  return error.code === 'bad-bounds' || error.code === 'bad-index' ? 'error' : 'clip-damaged'
}

/** Not about the clip: nothing can be decoded here, or the run is ending, or the device is gone. */
function isFatal(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return true
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return [
    'no-ffmpeg',
    'aborted',
    'encode-failed',
    'device-lost',
    'gpu-error',
    'no-adapter',
    'ENOSPC',
  ].includes(String(code))
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

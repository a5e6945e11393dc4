import { filter, share } from 'rxjs'
import { type Emission, type Item, operator } from '../../engine/operator.ts'
import type { Clip } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import type { FeatureCache } from '../model/feature-cache.ts'
import type { Question } from '../question.ts'
import { clipsAtOnce, concurrencyField } from '../video/concurrency.ts'
import { sortedUnique } from '../video/frame-indices.ts'
import { pixelShape } from '../video/frame-pixels.ts'
import { openClip } from '../video/open-clip.ts'
import { VideoError } from '../video/video-error.ts'
import { type ClipQuestions, pendingOf, type WatchedClip } from './clip-questions.ts'
import { countsField } from './frame-counts.ts'
import { failedQuestions } from './outcome.ts'
import { chooseFrames } from './question-frames.ts'
import { withSheets } from './question-sheets.ts'
import { resultsFolder } from './results/store.ts'
import { recall, watchFrames } from './watch-frames.ts'

const config = {
  folder: {
    type: 'string',
    writes: true,
    default: '',
    description: 'Folder of the results; empty for one in the run.',
  },
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
    description: 'The cache of features: clips whose features are in it are not decoded.',
  },
  count: { type: 'integer', minimum: 1, default: 16, description: 'Frames of one clip.' },
  counts: countsField,
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
      'Squash frames to the square, or put them in the middle of a square of the mean colour first. Models for frames of any shape squash none.',
  },
  profile: {
    type: 'string',
    enum: ['published', 'strict', 'base'],
    default: 'strict',
    description:
      'strict: a clip that is cut or corrupt is not asked about, and its questions get that outcome. published and base: the frames that can be decoded are used.',
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
    description:
      'Longest time that an ffmpeg process may make no progress; after it the process is killed and the run ends.',
  },
  folderFramesPerSecond: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 3,
    description: 'Frame rate of folders of pictures.',
  },
  concurrency: concurrencyField,
} as const

/** Different numbers share few frames. */
const mostOf = (count: number, counts: readonly number[]): number =>
  counts.length > 0 ? counts.reduce((sum, one) => sum + one, 0) : count

/**
 * However many questions a clip has and however their frames differ, the frames that any of them sees are decoded once.
 * All questions count, with a result or without, so that a run that was stopped sees what an undisturbed one sees.
 */
export default operator({
  summary:
    'Decodes the frames of each clip for all its questions; a clip that cannot be used is an outcome of its questions.',
  config,
  inputs: { clips: 'clip-questions' },
  outputs: { watched: { kind: 'watched', shape: ['F'] }, failures: 'answer' },
  drops: true,
  dims: ({ count, counts, mode, maxFrames }) => ({ F: mode === 'count' ? mostOf(count, counts) : maxFrames }),
  memory: ({ model, count, counts, mode, maxFrames, concurrency }, { sizes }) => {
    const { imageSize } = model === '' ? { imageSize: undefined } : sizes(model)
    const frames = clipsAtOnce(concurrency) * (mode === 'count' ? mostOf(count, counts) : maxFrames)
    return imageSize === undefined
      ? []
      : [{ what: 'pixels of clips', bytes: frames * 3 * imageSize ** 2 * 4 }]
  },
  run: ({ clips }, settings, context) => {
    const { signal } = context
    const { profile, aspect, sheetWidth } = settings
    const folder = resultsFolder(settings.folder, context)
    const failed = (questions: readonly Question[], error: unknown) =>
      failedQuestions(questions, error).map(question =>
        context.emit<WatchedClip | Question>(question, { key: question.fields.id }),
      )

    const refuseDamage = ({ path, damage }: Clip) => {
      if (damage !== undefined && profile === 'strict')
        throw new VideoError('damaged', `${path}: damaged: ${damage}`)
    }

    const watch = async (
      clip: ClipQuestions,
      item: Item<ClipQuestions>,
    ): Promise<Emission<WatchedClip | Question>[]> => {
      if (context.leaves(item)) return []
      const model = settings.model === '' ? undefined : context.resource<LoadedModel>(settings.model)
      const cache = settings.cache === '' ? undefined : context.resource<FeatureCache>(settings.cache)
      const { video, questions } = clip
      const started = performance.now()
      let opened: Clip | undefined
      try {
        const [sample] = questions
        if (!sample) return []
        opened = await openClip(video, sample, { ...settings, signal })
        refuseDamage(opened)
        const { shown, faults } = await chooseFrames(opened, questions, settings)
        const failures = faults.flatMap(({ question, error }) => failed([question], error))
        if (shown.length === 0) return failures
        const frames = sortedUnique(shown.flatMap(question => question.shown.indices))
        // Features of pairs of frames are those of all frames or of none.
        const areApart =
          model?.shape.vision.grid && shown.some(one => one.shown.indices.join() !== frames.join())
        const cached =
          model && cache && !areApart
            ? await recall(cache, opened.path, frames, { aspect, model })
            : undefined
        const isDecoded = !cached?.features || sheetWidth > 0
        const seen = isDecoded
          ? await watchFrames(opened, frames, cached?.features ? undefined : model, settings, context)
          : undefined
        try {
          refuseDamage(opened) // more may have been found on the way to the frames
          const sheeted = await withSheets(folder, shown, seen?.thumbnails, signal)
          const [first] = pendingOf(sheeted)
          if (first) first.seconds = { decode: (performance.now() - started) / 1000 }
          const { durationSeconds } = opened
          const value = {
            video,
            questions: sheeted,
            durationSeconds,
            frames,
            ...(model && {
              pixelShape: pixelShape(opened, frames.length, { processor: model.processor, aspect }),
            }),
            ...cached,
            ...seen?.pixels?.value,
          }
          const options = { key: video, keep: false, ...seen?.pixels?.options }
          return [context.emit<WatchedClip | Question>(value, options), ...failures]
        } catch (error) {
          seen?.pixels?.options.dispose()
          throw error
        }
      } catch (error) {
        signal.throwIfAborted()
        return failed(questions, error)
      } finally {
        opened?.close?.()
      }
    }

    const all = clips.pipe(context.each(watch, { concurrency: clipsAtOnce(settings.concurrency) }), share())
    const isWatched = ({ value }: Item<WatchedClip | Question>) => 'frames' in value
    return { watched: all.pipe(filter(isWatched)), failures: all.pipe(filter(item => !isWatched(item))) }
  },
})

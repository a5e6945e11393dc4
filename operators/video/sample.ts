import { operator } from '../../engine/operator.ts'
import { bytesOf } from '../../kernels/device/tensor.ts'
import { featureShape } from '../../kernels/networks/shape.ts'
import { trainsVision } from '../../kernels/networks/tower-features.ts'
import { sharedDevice } from '../device.ts'
import type { Clip, Frames } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import type { FeatureCache } from '../model/feature-cache.ts'
import { framesPort, modelDims } from '../ports.ts'
import { framePixels, pixelShape } from './frame-pixels.ts'
import { frameSheet } from './frame-sheet.ts'
import { pickFrames } from './pick-frames.ts'

const config = {
  model: {
    type: 'string',
    resource: 'model',
    description: 'The model that sees the frames: its image processor gives their size and scale.',
  },
  count: {
    type: 'integer',
    minimum: 1,
    default: 16,
    description: 'Frames of one clip.',
    when: { mode: 'count' },
  },
  mode: {
    type: 'string',
    enum: ['count', 'one-a-second'],
    default: 'count',
    description: 'Take `count` frames, or one for each whole second of the clip.',
  },
  maxFrames: {
    type: 'integer',
    minimum: 1,
    default: 64,
    description: 'Most frames in mode one-a-second.',
    when: { mode: 'one-a-second' },
  },
  rule: {
    type: 'string',
    enum: ['L', 'M', 'S'],
    default: 'L',
    description:
      'L: evenly spaced, first to last. M: middles of equal segments. S: a whole stride from the first.',
  },
  unique: {
    type: 'boolean',
    default: false,
    description: 'Leave out repeated frames of clips shorter than the count.',
  },
  bounded: {
    type: 'boolean',
    default: false,
    description: 'Rule M takes frames only between the fields `start` and `end` of the sample, in seconds.',
    when: { rule: 'M' },
  },
  aspect: {
    type: 'string',
    enum: ['square', 'pad'],
    default: 'square',
    description:
      'Squash frames to the square, or put them in the middle of a square of the mean colour first. Models for frames of any shape squash none.',
  },
  cache: {
    type: 'string',
    resource: 'feature-cache',
    default: '',
    description:
      'The cache of features: frames whose features of the model are in it are not decoded. Not used where the vision tower is trained.',
  },
  sheetWidth: {
    type: 'integer',
    minimum: 0,
    default: 0,
    description:
      "Width of a frame in a picture of all of them, which is kept under `frames/` in the run's folder and shown in its report; 0 keeps none.",
  },
} as const

/** Only the chosen frames are converted to pixels, and one at a time is in memory. */
export default operator({
  summary: 'Picks frames of each clip and makes them the pixel values that the model expects.',
  config,
  inputs: { clips: 'clip' },
  outputs: { frames: framesPort },
  drops: false,
  dims: ({ model, count, mode, unique }, sizes) => {
    return { ...modelDims(sizes, model), F: mode === 'count' && !unique ? count : undefined }
  },
  run: ({ clips }, settings, context) => {
    const sample = async (clip: Clip) => {
      const model = context.resource<LoadedModel>(settings.model)
      const device = await sharedDevice(context)
      const indices = pickFrames(clip, settings)
      const sheet = settings.sheetWidth > 0 ? frameSheet(clip, indices, settings.sheetWidth) : undefined
      const { sample, framesPerSecond, durationSeconds } = clip
      const seconds = indices.map(frame => frame / framesPerSecond)
      const made = clip.opened && { made: { opened: clip.opened, aspect: settings.aspect } }
      const frames = { sample: sheet?.sample ?? sample, indices, seconds, durationSeconds, ...made }
      const cache = await cacheOf(model, clip, indices)
      const found = sheet?.isMissing(context.runDirectory) ? undefined : cache?.found
      if (found) {
        const { processor, shape } = model
        const pixels = pixelShape(clip, indices.length, { processor, aspect: settings.aspect })
        const features = device.tensor('kept features', featureShape(shape.vision, pixels), 'f32', found)
        const seen: Frames = { ...frames, kept: { features, model: settings.model } }
        const dispose = () => device.freeTensor(features)
        return context.emit(seen, { bytes: bytesOf(features), dispose, keep: false })
      }
      const pixels = await framePixels(
        device,
        sheet ? sheet.watched : clip,
        indices,
        { processor: model.processor, aspect: settings.aspect },
        context.signal,
      )
      await sheet?.write(context.runDirectory, context.signal).catch((error: unknown) => {
        device.freeTensor(pixels)
        throw error
      })
      const seen: Frames = { ...frames, pixels, ...(cache && !cache.found && { keep: cache.keep }) }
      const dispose = () => device.freeTensor(pixels)
      return context.emit(seen, { bytes: bytesOf(pixels), dispose, keep: false })
    }
    /** What is kept of these frames, and how to keep it; undefined without a cache. */
    const cacheOf = async (model: LoadedModel, clip: Clip, indices: readonly number[]) => {
      const { cache: name, aspect } = settings
      if (name === '' || trainsVision(model.weights)) return undefined
      const cache = context.resource<FeatureCache>(name)
      const key = await cache.keyOf(clip.path, indices, { aspect, model })
      if (key === undefined) return undefined
      const keep: Frames['keep'] = (bytes, read) => cache.put(key, bytes, read)
      return { found: await cache.get(key), keep }
    }
    return { frames: clips.pipe(context.each(sample)) }
  },
})

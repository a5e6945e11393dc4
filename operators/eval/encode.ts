import { type Emission, type Item, operator } from '../../engine/operator.ts'
import { storageOf } from '../../kernels/device/storage-of.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { featureShape } from '../../kernels/networks/shape.ts'
import { encodeFrames } from '../../kernels/networks/video-model.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import type { FeatureCache } from '../model/feature-cache.ts'
import { timingOf } from '../model/moment-seconds.ts'
import { visionMemory } from '../model/sizes.ts'
import { zeroFeatures } from '../model/zero-features.ts'
import { modelDims } from '../ports.ts'
import type { QuestionWith } from '../question.ts'
import { promptOf } from '../text/prompt.ts'
import { templateField, templateFor } from '../text/template.ts'
import { pendingOf, type WatchedClip } from './clip-questions.ts'

/** Frames are encoded once for a clip; questions that see the same frames share the features. */
export default operator({
  summary: 'Runs the vision tower over the frames of each clip and renders its questions as prompts.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that reads the prompts.' },
    cache: {
      type: 'string',
      resource: 'feature-cache',
      default: '',
      description: 'The cache that new features are written to: the same one as in `eval.watch`.',
    },
    template: templateField,
    visual: {
      type: 'string',
      enum: ['frames', 'zero'],
      default: 'frames',
      description:
        'What the model sees: the frames, or zeros instead of their features, as a control that does not see the video.',
    },
  },
  inputs: { watched: { kind: 'watched', shape: ['F'] } },
  outputs: { asked: { kind: 'asked', dtype: 'f32', shape: ['F', 'P', 'V'] } },
  drops: false,
  dims: ({ model }, sizes) => modelDims(sizes, model),
  memory: ({ model }, { outline, dims }) => visionMemory(outline(model), dims.F),
  run: ({ watched }, { model: name, template, cache, visual }, context) => {
    const encode = async (clip: WatchedClip, item: Item<WatchedClip>): Promise<Emission<AskedQuestion>[]> => {
      if (context.leaves(item)) return []
      const model = context.resource<LoadedModel>(name)
      const { device } = model
      const started = performance.now()
      const all = await featuresOf(model, clip, visual)
      if (visual === 'frames' && clip.featureKey !== undefined && !clip.features)
        await context.resource<FeatureCache>(cache).put(clip.featureKey, bytesOf(all), () => device.read(all))
      await device.finish()
      const encode = (performance.now() - started) / 1000
      const free = (features: Tensor) => device.freeTensor(features)
      const shared = counted(() => free(all))
      const emissions: Emission<AskedQuestion>[] = []
      for (const [i, question] of pendingOf(clip.questions).entries()) {
        const { indices, text, framesPerSecond } = question.shown
        const seesAll = indices.join() === clip.frames.join()
        const features = seesAll ? all : await featuresOfSome(model, clip, { all, indices, visual })
        const dispose = seesAll ? shared.take() : () => free(features)
        const shown = {
          seconds: indices.map(frame => frame / framesPerSecond),
          durationSeconds: clip.durationSeconds,
        }
        const words = promptOf(model.tokenizer, templateFor(model, template), text, wording, shown)
        const input = { ids: words.ids, features, ...timingOf(model, shown) }
        const seconds = i === 0 ? { ...question.seconds, encode } : {}
        emissions.push(
          context.emit(
            { ...question, prompt: words.text, input, seconds },
            { key: question.fields.id, bytes: bytesOf(features), dispose, keep: false },
          ),
        )
      }
      shared.done()
      return emissions
    }
    return { asked: watched.pipe(context.each(encode)) }
  },
})

/** Kind `asked`. */
export type AskedQuestion = QuestionWith<'shown' | 'prompt' | 'input'>

/** Features of all frames of a clip: from the cache, or computed, or zeros. */
async function featuresOf(
  model: LoadedModel,
  { video, pixels, pixelShape, features }: WatchedClip,
  visual: 'frames' | 'zero',
): Promise<Tensor> {
  const { device, shape } = model
  if (!pixelShape) throw new Error(`${video}: eval.watch must be given the model that eval.encode uses`)
  const extents = featureShape(shape.vision, pixelShape)
  if (visual === 'zero') return zeroFeatures(device, extents)
  if (features) return device.tensor('cached features', extents, 'f32', features)
  if (pixels) return encodeFrames(model, pixels)
  throw new Error(`${video}: has neither pixels nor features`)
}

interface SomeFrames {
  /** The features of all frames of the clip. */
  all: Tensor
  indices: readonly number[]
  visual: 'frames' | 'zero'
}

/** Features of some frames of a clip, in the order of `indices`. Pairs of frames are encoded anew. */
async function featuresOfSome(
  model: LoadedModel,
  { frames, pixels }: WatchedClip,
  { all, indices, visual }: SomeFrames,
): Promise<Tensor> {
  const { device, shape } = model
  if (!shape.vision.grid) return gathered(model, all, frames, indices)
  if (!pixels)
    throw new Error('features of pairs of frames are not kept for questions that see different ones')
  const some = device.tensor('pixels of a question', [indices.length, ...pixels.shape.slice(1)])
  const count = sizeOf(pixels.shape.slice(1))
  device.copyAll(
    indices.map((index, i) => {
      return { source: pixels, into: some, start: frames.indexOf(index) * count, at: i * count, count }
    }),
  )
  try {
    if (visual === 'zero') return zeroFeatures(device, featureShape(shape.vision, some.shape))
    return await encodeFrames(model, some)
  } finally {
    device.freeTensor(some)
  }
}

/** The question's words are complete already. */
const wording = { instruction: '', joint: '' }

/** Calls `free` when all takers, and `done`, have called back. */
function counted(free: () => void): { take(): () => void; done(): void } {
  let holders = 1
  const leave = () => {
    if (--holders === 0) free()
  }
  return {
    take() {
      holders++
      return leave
    },
    done: leave,
  }
}

/** The features of some frames of a clip, in the order of `indices`, copied from those of all its `frames`. */
function gathered(
  { device, shape }: LoadedModel,
  all: Tensor,
  frames: readonly number[],
  indices: readonly number[],
): Tensor {
  const [tokens, columns] = [shape.vision.frameTokens, shape.vision.hidden]
  const out = device.tensor('features of a question', [indices.length * tokens, columns])
  const size = tokens * columns * 4
  const [from, into] = [storageOf(all), storageOf(out)]
  const encoder = device.gpu.createCommandEncoder()
  for (const [i, index] of indices.entries()) {
    const source = from.offsetBytes + frames.indexOf(index) * size
    encoder.copyBufferToBuffer(from.buffer, source, into.buffer, into.offsetBytes + i * size, size)
  }
  device.submit(encoder)
  return out
}

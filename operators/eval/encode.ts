import { type Emission, operator } from '../../engine/operator.ts'
import { bytesOf, sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import { selectedTokens } from '../../kernels/networks/shape.ts'
import { encodeFrames } from '../../kernels/networks/video-model.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { visionMemory } from '../model/sizes.ts'
import { modelDims } from '../ports.ts'
import { promptOf } from '../text/prompt.ts'
import { templates } from '../text/template.ts'
import type { FeatureCache } from './feature-cache.ts'
import type { Asked, AskedQuestion, Watched } from './kinds.ts'

/** Frames are encoded once for a clip; questions that see the same frames share the features. */
export default operator({
  summary: 'Runs the vision tower over the frames of each clip and renders its questions as prompts.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that reads the prompts.' },
    cache: {
      type: 'string',
      resource: 'feature-cache',
      default: '',
      description: 'Where new features are kept; the same as that of `eval.watch`.',
    },
    template: {
      type: 'string',
      enum: ['qwen2_base', 'pretrain'],
      default: 'qwen2_base',
      description: 'Conversation template.',
    },
    visual: {
      type: 'string',
      enum: ['frames', 'zero'],
      default: 'frames',
      description:
        'What the model is shown: the frames, or zeros in place of their features: the control that sees nothing.',
    },
  },
  inputs: { watched: { kind: 'watched', shape: ['F'] } },
  outputs: { asked: { kind: 'asked', dtype: 'f32', shape: ['F', 'P', 'V'] } },
  dims: ({ model }, sizes) => modelDims(sizes, model),
  memory: ({ model }, { outline, dims }) => visionMemory(outline(model), dims.F),
  run: ({ watched }, { model: name, template, cache, visual }, context) => {
    const encode = async (clip: Watched): Promise<Emission<Asked>[]> => {
      const model = context.resource<LoadedModel>(name)
      const { device } = model
      const started = performance.now()
      const all = visual === 'zero' ? nothingOf(model, clip) : await featuresOf(model, clip)
      if (visual === 'frames' && clip.featureKey !== undefined && !clip.features)
        await context.resource<FeatureCache>(cache).put(clip.featureKey, await device.read(all))
      await device.finish()
      const seconds = { ...clip.seconds, encode: (performance.now() - started) / 1000 }
      const free = (features: Tensor) => device.freeTensor(features)
      const shared = counted(() => free(all))
      const asked = clip.questions.filter(({ sample }) => clip.pending.includes(sample.fields.id))
      const emissions = asked.map((question, i) => {
        const seesAll = question.indices.join() === clip.frames.join()
        const features = seesAll ? all : gathered(model, all, clip.frames, question)
        const dispose = seesAll ? shared.take() : () => free(features)
        const { text: prompt, ids } = promptOf(model.tokenizer, templates[template], question.text, wording)
        const value: Asked = { question, prompt, ids, features, seconds: i === 0 ? seconds : {} }
        return context.emit(value, {
          key: question.sample.fields.id,
          bytes: bytesOf(features),
          dispose,
          keep: false,
        })
      })
      shared.done()
      return emissions
    }
    return { asked: watched.pipe(context.each(encode)) }
  },
})

/** Features of all frames of a clip: from the cache, or computed. */
async function featuresOf(model: LoadedModel, { video, pixels, features, frames }: Watched): Promise<Tensor> {
  const { device, shape } = model
  const rows = frames.length * selectedTokens(shape.vision)
  if (features) return device.tensor('cached features', [rows, shape.vision.hidden], 'f32', features)
  if (pixels) return encodeFrames(model, pixels)
  throw new Error(`${video}: eval.watch must be given the model that eval.encode uses`)
}

function nothingOf({ device, shape }: LoadedModel, { frames }: Watched): Required<Tensor> {
  const size = [frames.length * selectedTokens(shape.vision), shape.vision.hidden]
  return device.tensor('features of nothing', size, 'f32', new Float32Array(sizeOf(size)))
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

/** The features of the frames that a question sees, in its order, copied from those of all frames of the clip. */
function gathered(
  model: LoadedModel,
  all: Tensor,
  frames: readonly number[],
  question: AskedQuestion,
): Tensor {
  const { device } = model
  const [rows, columns] = all.shape
  const tokens = rows / frames.length
  const { indices } = question
  const out = device.tensor('features of a question', [indices.length * tokens, columns])
  const size = tokens * columns * 4
  const [from, into] = [all.storage, out.storage]
  if (!from || !into) throw new Error('features must have buffers')
  const encoder = device.gpu.createCommandEncoder()
  for (const [i, index] of indices.entries()) {
    const source = from.offsetBytes + frames.indexOf(index) * size
    encoder.copyBufferToBuffer(from.buffer, source, into.buffer, into.offsetBytes + i * size, size)
  }
  device.gpu.queue.submit([encoder.finish()])
  return out
}

import { codecs } from '#codecs'
import { type Packed, type Unpacked, type WireContext, wireForm } from '../../engine/operator.ts'
import { bytesOf } from '../../kernels/device/tensor.ts'
import { encodeFrames } from '../../kernels/networks/video-model.ts'
import type { Clip, Group, Prompt, PromptMade, Sample } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { zeroFeatures } from '../model/zero-features.ts'
import { framePixels } from '../video/frame-pixels.ts'
import { beginFeatures, featureFile, featuresInFile, readFeatures } from './feature-file.ts'
import { packTensor, unpackTensor } from './tensors.ts'

/** A clip is opened again where it arrives: its frames do not travel. */
export const clipForm = wireForm<Clip>({
  pack: ({ sample, path, opened }) => {
    if (!opened)
      throw new TypeError(`${path}: must have been opened by video.decode to travel to another process`)
    return { json: { sample, opened } }
  },
  unpack: async ({ json }, { signal }) => {
    // `pack` made it
    const { sample, opened } = json as { sample: Sample; opened: NonNullable<Clip['opened']> }
    const clip = Object.assign(await codecs.openClip(sample.video, sample, { ...opened, signal }), { opened })
    return { value: clip, dispose: () => clip.close?.() }
  },
})

/**
 * The features of a prompt are fifty megabytes at the released size, and are made from the clip in 50 ms. Between processes of
 * one machine they lie in a file, to others they do not travel.
 */
export const promptForm = wireForm<Prompt>({
  rebuilds: true,
  begin: ({ made, features }, context) =>
    made && made.file === undefined && made.visual !== 'zero' ? beginFeatures(features, context) : undefined,
  pack: async (prompt, context) => {
    const { rest, tensors } = await packPrompt(prompt, context)
    return { json: rest, tensors }
  },
  // `pack` made it
  unpack: (packed, context) =>
    promptFrom(packed.json as Omit<Prompt, 'features'>, packed.tensors, context, readFeatures),
})

/** The features of a group stay in their file until someone works with them: another learner of the run may, and reads them itself. */
export const groupForm = wireForm<Group>({
  rebuilds: true,
  pack: async (group, context) => {
    const { rest, tensors } = await packPrompt(group.prompt, context)
    return { json: { ...group, prompt: rest }, tensors }
  },
  unpack: async ({ json, tensors }, context) => {
    // `pack` made it
    const group = json as Group
    const { value: prompt, ...about } = await promptFrom(group.prompt, tensors, context, featuresInFile)
    return { ...about, value: { ...group, prompt } }
  },
})

/** Features travel in the message only where nothing says how they were made. */
async function packPrompt({ features, ...prompt }: Prompt, context: WireContext) {
  const { made } = prompt
  if (!made) return { rest: prompt, tensors: { features: await packTensor(features, context) } }
  const file = made.file ?? (made.visual === 'zero' ? undefined : await featureFile(features, context))
  return { rest: { ...prompt, made: { ...made, ...(file !== undefined && { file }) } }, tensors: {} }
}

async function promptFrom(
  prompt: Omit<Prompt, 'features'>,
  tensors: Packed['tensors'],
  context: WireContext,
  takeFile: typeof readFeatures | typeof featuresInFile,
): Promise<Unpacked<Prompt>> {
  const { made, sample } = prompt
  if (!made) {
    const { tensor, ...about } = await unpackTensor('features', tensors?.features, context)
    return { ...about, value: { ...prompt, features: tensor } }
  }
  const { visual, file, shape } = made
  const near =
    visual === 'zero' || file === undefined ? undefined : await takeFile({ ...made, file }, context)
  if (near) {
    const { tensor, ...about } = near
    return { ...about, value: { ...prompt, features: tensor } }
  }
  const model = context.resource<LoadedModel>(made.model)
  const features =
    visual === 'zero'
      ? zeroFeatures(model.device, shape)
      : await encodedAgain(model, sample, made, context.signal)
  const dispose = () => model.device.freeTensor(features)
  return { value: { ...prompt, features }, bytes: bytesOf(features), dispose }
}

async function encodedAgain(
  model: LoadedModel,
  sample: Sample,
  { opened, indices, aspect }: PromptMade,
  signal: AbortSignal,
) {
  const clip = await codecs.openClip(sample.video, sample, { ...opened, signal })
  try {
    const { processor, device } = model
    const pixels = await framePixels(device, clip, indices, { processor, aspect }, signal)
    try {
      return await encodeFrames(model, pixels)
    } finally {
      device.freeTensor(pixels)
    }
  } finally {
    clip.close?.()
  }
}

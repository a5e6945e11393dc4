import type { Context } from '../../engine/operator.ts'
import { bytesOf } from '../../kernels/device/tensor.ts'
import { sharedDevice } from '../device.ts'
import type { Clip } from '../kinds.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import type { FeatureCache, Seen } from '../model/feature-cache.ts'
import { framePixels } from '../video/frame-pixels.ts'
import { type Picture, thumbnail } from '../video/picture.ts'

/** What the cache has for these frames, and the name that they have there; undefined when the cache is off. */
export async function recall(cache: FeatureCache, path: string, frames: readonly number[], seen: Seen) {
  const featureKey = await cache.keyOf(path, frames, seen)
  if (featureKey === undefined) return undefined
  const features = await cache.get(featureKey)
  return { featureKey, ...(features && { features }) }
}

interface WatchSettings {
  aspect: 'square' | 'pad'
  /** 0: no thumbnails. */
  sheetWidth: number
}

/** Decodes frames once: to pixels for the model, if there is one, and to thumbnails for contact sheets. */
export async function watchFrames(
  clip: Clip,
  frames: readonly number[],
  model: LoadedModel | undefined,
  { aspect, sheetWidth }: WatchSettings,
  context: Context,
) {
  const { width, height } = clip
  const thumbnails = new Map<number, Picture>()
  const keepThumbnail = (index: number, pixels: Uint8Array) => {
    if (sheetWidth > 0) thumbnails.set(index, thumbnail({ width, height, pixels }, sheetWidth))
  }
  const seen = withFramesShownTo(clip, keepThumbnail)
  const { signal } = context
  if (!model) {
    for await (const _ of seen.frames(frames, signal));
    return { thumbnails }
  }
  const { processor } = model
  const device = await sharedDevice(context)
  const pixels = await framePixels(device, seen, frames, { processor, aspect }, signal)
  const bytes = bytesOf(pixels)
  return {
    thumbnails,
    pixels: { value: { pixels }, options: { bytes, dispose: () => device.freeTensor(pixels) } },
  }
}

/** The same clip; each frame that is read of it is also given to `see`. The frames asked for differ and increase. */
function withFramesShownTo(clip: Clip, see: (index: number, frame: Uint8Array) => void): Clip {
  return {
    ...clip,
    async *frames(indices, signal) {
      let at = 0
      for await (const frame of clip.frames(indices, signal)) {
        const index = indices[at++]
        if (index !== undefined) see(index, frame)
        yield frame
      }
    },
  }
}

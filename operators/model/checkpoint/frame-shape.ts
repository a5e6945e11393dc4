// The size of frames that keep their shape: as near to their own as the pixels of a clip allow (Qwen2-VL, arXiv:2409.12191).

import type { TowerGrid } from '../../../kernels/networks/shape.ts'
import type { Extent } from '../../../kernels/pixels/resize.ts'
import type { ConfigFields } from './config-fields.ts'

export interface FrameShape extends Pick<TowerGrid, 'unit' | 'step'> {
  /** Whether the limits are of each frame, or of all frames of a clip together. */
  readonly each: boolean
  /** Pixels: frames are enlarged up to the least, and reduced down to the most. */
  readonly leastPixels: number
  readonly mostPixels: number
  /** Pixels that all frames of a clip share, where the limits are of each; undefined for no limit. */
  readonly allPixels?: number
  /** The most pixels of a frame, where the limits are of all frames together; undefined for no limit. */
  readonly framePixels?: number
}

/** What a class of transformers for the frames of a clip does where a file does not say it. */
export interface ShapeDefaults extends Pick<FrameShape, 'each' | 'leastPixels' | 'mostPixels'> {
  readonly patch: number
}

/** Reads the keys of the class; absent ones get its defaults. */
export function parseShape(
  fields: ConfigFields,
  { unit, step }: TowerGrid,
  known: ShapeDefaults,
): FrameShape {
  const square = fields.integer('merge_size', { minimum: 1, fallback: 2 })
  const patch = fields.integer('patch_size', { minimum: 1, fallback: known.patch })
  if (square * patch !== unit)
    fields.problem('patch_size', `must be ${unit} / merge_size, as the vision tower's, got ${patch}`)
  const frames = fields.integer('temporal_patch_size', { minimum: 1, fallback: 2 })
  if (frames !== step)
    fields.problem('temporal_patch_size', `must be ${step}, as the vision tower's, got ${frames}`)
  const leastPixels = parsePixels(fields, 'shortest_edge', known)
  const mostPixels = parsePixels(fields, 'longest_edge', known)
  if (leastPixels > mostPixels)
    fields.problem('size', `shortest_edge must be at most longest_edge, got ${leastPixels} and ${mostPixels}`)
  const { each } = known
  const shape = { unit, step, each, leastPixels, mostPixels }
  if (!fields.boolean('cap_pixels_per_frame', false)) return shape
  const tokens = fields.integer('max_video_tokens', { minimum: 1, fallback: each ? 128000 : 768 })
  if (!each) return { ...shape, framePixels: tokens * unit ** 2 }
  return { ...shape, allPixels: Math.floor(tokens * unit ** 2 * 0.9) }
}

/**
 * A limit of pixels in `size`, which must have both if it is there. The class for limits of each frame lets older files state them
 * beside it, as `min_pixels` and `max_pixels`, which count more; the other class does not read these.
 */
function parsePixels(
  fields: ConfigFields,
  key: 'shortest_edge' | 'longest_edge',
  { each, leastPixels, mostPixels }: ShapeDefaults,
): number {
  const [older, fallback] = key === 'shortest_edge' ? ['min_pixels', leastPixels] : ['max_pixels', mostPixels]
  const rule = { minimum: 1, maximum: 2 ** 40 }
  const size = fields.object('size')
  if (each && fields.has(older)) return fields.integer(older, rule)
  for (const other of [older, 'height', 'width']) size.only(other)
  if (!each && fields.has(older))
    fields.problem(
      older,
      `is not read by the processor of this model; state size.${key}`,
      'unsupported-model',
    )
  if (fields.has('size') && !size.has(key))
    fields.problem('size', `must have shortest_edge and longest_edge, has no ${key}`)
  return size.integer(key, { ...rule, fallback })
}

/** The keys of a new model. */
export const shapeJson = ({ unit, step }: TowerGrid, each: boolean): Record<string, unknown> => ({
  size: { shortest_edge: 4 * unit ** 2, longest_edge: (each ? 768 : 24576) * unit ** 2 },
  patch_size: unit / 2,
  temporal_patch_size: step,
  merge_size: 2,
})

/**
 * The size to which `frames` frames of a clip are resized. Its sides are multiples of `unit`. A moment is the smallest number of
 * frames: fewer count as a moment.
 */
export function sizeOfFrames({ width, height }: Extent, frames: number, shape: FrameShape): Extent {
  const { unit, each, leastPixels } = shape
  const step = each ? 1 : shape.step
  const count = each ? 1 : Math.max(frames, step)
  const mostPixels = mostOf(shape, frames)
  // Where limits are of all frames, a side shorter than a unit is enlarged to it first.
  const enlarged = each ? 1 : Math.max(1, unit / height, unit / width)
  const [high, wide] = [height, width].map(side => (enlarged > 1 ? Math.trunc(side * enlarged) : side)) as [
    number,
    number,
  ]
  if (Math.max(high, wide) / Math.min(high, wide) > 200)
    throw new Error(
      `frames are ${width} × ${height}; the longer side must be at most 200 times the shorter one`,
    )
  const whole = (side: number) => halfToEven(side / unit) * unit
  const all = halfToEven(count / step) * step * whole(high) * whole(wide)
  if (all > mostPixels) {
    const shrink = Math.sqrt((count * high * wide) / mostPixels)
    const fit = (side: number) => Math.max(unit, Math.floor(side / shrink / unit) * unit)
    return { width: fit(wide), height: fit(high) }
  }
  if (all < leastPixels) {
    const grow = Math.sqrt(leastPixels / (count * high * wide))
    const fit = (side: number) => Math.ceil((side * grow) / unit) * unit
    return { width: fit(wide), height: fit(high) }
  }
  return { width: whole(wide), height: whole(high) }
}

/** The limit of pixels, of one frame or of all frames together as the shape states it. A frame's share of all, or the limit of each frame, may lower it. */
function mostOf(shape: FrameShape, frames: number): number {
  const { step, leastPixels, mostPixels, allPixels, framePixels } = shape
  const least = Math.trunc(leastPixels * 1.05)
  if (framePixels !== undefined)
    return frames * Math.max(Math.min(framePixels, Math.floor(mostPixels / frames)), least)
  if (allPixels === undefined) return mostPixels
  return Math.max(Math.min(mostPixels, Math.floor((allPixels * step) / frames)), least)
}

/** Python's round. */
function halfToEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

import { isObject } from '../../../engine/shared/json.ts'
import type { TowerGrid } from '../../../kernels/networks/shape.ts'
import type { CheckpointProblem } from '../files/checkpoint-error.ts'
import { type ConfigFields, configFields, shown } from './config-fields.ts'
import { type FrameShape, parseShape, type ShapeDefaults, shapeJson } from './frame-shape.ts'

/**
 * How frames become pixel values: resize to `size` × `size`, or as `shape` says, with Pillow's bicubic, then
 * (value · rescaleFactor − mean) / std for each of the channels red, green, blue.
 */
export interface Processor {
  readonly size: number
  /** How frames keep their shape; undefined where they become squares. */
  readonly shape?: FrameShape
  /** Pixels of the longer side to which frames are resized first, in their own shape. */
  readonly longestEdge?: number
  /** False when frames must already have the size. */
  readonly resize: boolean
  /** 1 when the file switches rescaling off. */
  readonly rescaleFactor: number
  /** Zeros, and ones for `std`, when the file switches normalising off. */
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

/** Which class of transformers the file is for; the code beside InternVL's own layout reads no file. */
export type ProcessorKind = 'siglip' | 'smolvlm' | 'internvl' | 'internvl-chat' | 'qwen25vl' | 'qwen3vl'

/** What a processor must know of the tower. */
export interface ProcessorUse {
  imageSize: number
  grid?: TowerGrid | undefined
  kind: ProcessorKind
}

/**
 * Checks a parsed `preprocessor_config.json` against the vision tower's image size; absent keys get the defaults of
 * its class. Faults are added to `problems`.
 */
export function parseProcessor(
  path: string,
  value: unknown,
  { imageSize, grid, kind }: ProcessorUse,
  problems: CheckpointProblem[],
): Processor {
  const fields = configFields(`${path}: `, value, problems)
  const { images, video, mean, std } = classes[kind]
  fields.only('image_processor_type', ...images, ...images.map(name => `${name}Fast`))
  fields.only('video_processor_type', ...video)
  // Lanczos (1) is for pictures; for the frames of a clip transformers takes bicubic in its place.
  fields.only('resample', ...(kind === 'smolvlm' ? [1, 3] : [3]))
  if (kind !== 'smolvlm') fields.only('do_pad', false)
  fields.only('do_center_crop', false)
  const rescale = fields.boolean('do_rescale', true)
  const normalise = fields.boolean('do_normalize', true)
  return {
    ...(grid
      ? { size: imageSize, shape: parseShape(fields, grid, shapeOf(kind)) }
      : kind === 'smolvlm'
        ? { size: parseLongestEdge(fields, imageSize), longestEdge: parseFirstSize(fields) }
        : { size: parseSize(fields, imageSize) }),
    resize: fields.boolean('do_resize', true),
    rescaleFactor: rescale ? fields.number('rescale_factor', { minimum: 0, fallback: 1 / 255 }) : 1,
    mean: normalise ? parseChannels(fields, 'image_mean', mean) : [0, 0, 0],
    std: normalise ? parseChannels(fields, 'image_std', std) : [1, 1, 1],
  }
}

/** The file of a new model, with the constants of published ones. */
export function processorJson({ imageSize, grid, kind }: ProcessorUse): Record<string, unknown> {
  const size = { height: imageSize, width: imageSize }
  return {
    do_resize: true,
    ...(kind === 'smolvlm'
      ? { size: { longest_edge: 4 * imageSize }, max_image_size: { longest_edge: imageSize } }
      : grid
        ? { video_processor_type: classes[kind].video[0], ...shapeJson(grid, shapeOf(kind).each) }
        : { size }),
    resample: 3,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    ...(kind.startsWith('internvl')
      ? { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] }
      : { image_mean: classes[kind].mean, image_std: classes[kind].std }),
    image_processor_type: classes[kind].images[0],
  }
}

function parseSize(fields: ConfigFields, imageSize: number): number {
  const size = fields.raw('size') ?? 224
  const [height, width] = isObject(size) ? [size.height, size.width] : [size, size]
  if (height !== imageSize || width !== imageSize) {
    fields.problem(
      'size',
      `must be ${imageSize} by ${imageSize} as the vision tower's image_size, got ${shown(size)}`,
    )
  }
  return imageSize
}

function parseLongestEdge(fields: ConfigFields, imageSize: number): number {
  const found = fields.object('max_image_size').raw('longest_edge')
  if (fields.has('max_image_size') && found !== imageSize)
    fields.problem(
      'max_image_size',
      `longest_edge must be ${imageSize} as the vision tower's image_size, got ${shown(found)}`,
    )
  return imageSize
}

const mostPixels = 4096

/** The longer side of a frame before it is squared: that of `video_sampling`, or of `size` where a file has none. */
function parseFirstSize(fields: ConfigFields): number {
  const sampling = fields.raw('video_sampling')
  const [key, size] =
    isObject(sampling) && sampling.video_size !== undefined
      ? ['video_sampling.video_size', sampling.video_size]
      : ['size', fields.raw('size') ?? { longest_edge: 4 * 364 }]
  const edge = isObject(size) ? size.longest_edge : undefined
  if (typeof edge === 'number' && Number.isSafeInteger(edge) && edge > 0) return Math.min(edge, mostPixels)
  fields.problem(key, `must have a longest_edge, a whole number of pixels, got ${shown(size)}`)
  return mostPixels
}

type Channels = readonly [number, number, number]

const half: Channels = [0.5, 0.5, 0.5]

/** The names that a file may have in `image_processor_type` and `video_processor_type`, and the defaults of these classes. */
const clip = {
  mean: [0.48145466, 0.4578275, 0.40821073] as const,
  std: [0.26862954, 0.26130258, 0.27577711] as const,
}
const internVl = { images: ['GotOcr2ImageProcessor'], video: ['InternVLVideoProcessor'], ...clip }
interface ProcessorClass {
  images: string[]
  video: string[]
  mean: Channels
  std: Channels
  /** Where frames keep their shape. */
  shape?: ShapeDefaults
}

/** Squares of a frame, or of a clip, of which each becomes a visual token. */
const [fewest, most] = [128, 768]
const classes: Readonly<Record<ProcessorKind, ProcessorClass>> = {
  siglip: { images: ['SiglipImageProcessor'], video: [], mean: half, std: half },
  smolvlm: { images: ['SmolVLMImageProcessor'], video: ['SmolVLMVideoProcessor'], mean: half, std: half },
  internvl: internVl,
  'internvl-chat': internVl,
  qwen25vl: {
    images: ['Qwen2VLImageProcessor'],
    video: ['Qwen2VLVideoProcessor'],
    ...clip,
    shape: { each: true, patch: 14, leastPixels: fewest * 28 ** 2, mostPixels: most * 28 ** 2 },
  },
  qwen3vl: {
    images: ['Qwen2VLImageProcessor'],
    video: ['Qwen3VLVideoProcessor'],
    mean: half,
    std: half,
    shape: { each: false, patch: 16, leastPixels: fewest * 32 ** 2, mostPixels: most * 32 ** 2 },
  },
}

function shapeOf(kind: ProcessorKind): ShapeDefaults {
  const { shape } = classes[kind]
  if (shape) return shape
  throw new Error(`a tower for frames of any shape needs a processor that keeps their shape, not "${kind}"`)
}

function parseChannels(fields: ConfigFields, key: string, fallback: Channels): Channels {
  const found = fields.raw(key) ?? fallback
  const [red, green, blue, ...rest]: unknown[] = Array.isArray(found) ? found : [found, found, found]
  const isUsable = (n: unknown): n is number => typeof n === 'number' && Number.isFinite(n)
  if (isUsable(red) && isUsable(green) && isUsable(blue) && rest.length === 0) {
    if (key !== 'image_std' || (red && green && blue)) return [red, green, blue]
  }
  fields.problem(key, `must be a number or three, and not zero for std, got ${shown(found)}`)
  return fallback
}

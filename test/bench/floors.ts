import { bytesOf, sizeOf } from '../../kernels/device/tensor.ts'
import { headWeight } from '../../kernels/networks/language-weights.ts'
import type { VideoModel } from '../../kernels/networks/video-model.ts'

/** Numbers in the matrices of linear layers whose names begin so. */
export function linearSize({ weights }: VideoModel, prefix: string): number {
  let size = 0
  for (const { name, shape } of weights.byName.values())
    if (name.startsWith(prefix) && name.endsWith('_proj.weight')) size += sizeOf(shape)
    else if (name.startsWith(prefix) && /mlp\.fc\d\.weight$/.test(name)) size += sizeOf(shape)
  return size
}

/** Floating-point operations of the vision tower over frames: linear layers and attention. */
export function encodeFlops(model: VideoModel, frames: number): number {
  const { hidden, blocks, tokens } = model.shape.vision
  const linear = 2 * frames * tokens * linearSize(model, 'vision_tower.')
  return linear + 4 * frames * blocks * hidden * tokens ** 2
}

/** Of the language model over rows, each of which sees `seen` rows on average; `heads` rows get logits. */
export function languageFlops(model: VideoModel, rows: number, seen: number, heads: number): number {
  const { heads: queryHeads, headSize, layers, vocabulary, hidden } = model.shape.language
  const linear = 2 * rows * linearSize(model, 'language_model.')
  return linear + 4 * rows * seen * layers * queryHeads * headSize + 2 * heads * vocabulary * hidden
}

/** Bytes that a decode step reads at least: all matrices once, in float16 or as integers, and the keys and values of `rows` rows. */
export function decodeBytes(model: VideoModel, rows: number): number {
  const { layers, keyValueHeads, headSize } = model.shape.language
  const head = headWeight(model.weights, model.shape.language)
  let bytes = 4 * rows * layers * keyValueHeads * headSize
  for (const { name, shape, integers } of model.weights.byName.values())
    if ((name.startsWith('language_model.') && name.endsWith('_proj.weight')) || name === head.name)
      bytes += integers ? bytesOf(integers.integers) + bytesOf(integers.groups) : 2 * sizeOf(shape)
  return bytes
}

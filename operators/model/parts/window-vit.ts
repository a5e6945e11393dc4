// tower.window-vit: the vision tower of Qwen2.5-VL (arXiv:2502.13923): frames of any shape. Two frames are one moment; a patch is two
// frames deep. Patches turn by row and by column; there is no table of positions. In most blocks a patch sees its window alone, in
// some of them its whole moment. Windows at the right and lower edges may be smaller:
//
//   squares of a moment     windows of 2 × 2 squares     rows of attention, as long as the longest window
//   0 1 2 3 4               A A B B C                    A: 0 1 5 6    B: 2 3 7 8    C: 4 9 · ·
//   5 6 7 8 9               A A B B C                    D: 10 11 · ·  E: 12 13 · ·  F: 14 · · ·
//   a b c d e               D D E E F
import { at as element } from '../../../engine/shared/at.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { gatherInto, type RowPair } from '../../../kernels/layers/gather.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { rmsNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type Rotation, rope } from '../../../kernels/layers/rope.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Tower } from '../../../kernels/networks/shape.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import {
  channels,
  type GridTowerSizes,
  gridFeatures,
  gridNetwork,
  gridOfPatches,
  gridRotation,
  parseBlocks,
  parseGridTower,
  patchesOf,
} from './grid-tower.ts'
import { type SelfAttention, selfAttention } from './joined.ts'
import { affine, type Part, type Shape, type TowerUse } from './part.ts'
import { type Windows, windowsOf } from './windows.ts'

export interface WindowVitSizes extends GridTowerSizes {
  /** Squares across a window. */
  readonly window: number
  /** Blocks, counted from 0, in which a patch sees its whole moment. */
  readonly whole: readonly number[]
  /** Positions in time that a second takes in the language model. */
  readonly positionsPerSecond: number
}

export interface WindowVitPart extends Part<Tower> {
  readonly kind: 'window-vit'
  readonly sizes: WindowVitSizes
}

const normEpsilon = 1e-6 // not in the configuration
/** Squares across the frames that plans of memory assume: the smallest square of as many as a frame of a clip has at most by default. */
const assumedSquares = 28

/** Reads the keys of Qwen2_5_VLVisionConfig; absent ones get its defaults. */
export function windowVit(fields: ConfigFields, use?: TowerUse): WindowVitPart {
  fields.only('model_type', 'qwen2_5_vl', 'qwen2_5_vl_vision')
  for (const key of ['in_channels', 'in_chans']) fields.only(key, channels)
  fields.only('hidden_act', 'silu')
  const architecture = 'Qwen2_5_VLForConditionalGeneration'
  const shared = parseGridTower(fields, defaults, { use, architecture })
  fields.only('spatial_patch_size', shared.patchSize)
  const pixels = fields.integer('window_size', { minimum: 1, fallback: 112 })
  const unit = shared.patchSize * shared.square
  if (pixels < unit) fields.problem('window_size', `must be at least ${unit} pixels, a square, got ${pixels}`)
  const sizes: WindowVitSizes = {
    ...shared,
    window: Math.floor(pixels / unit),
    whole: parseBlocks(fields, 'fullatt_block_indexes', shared.layers, [7, 15, 23, 31]),
    positionsPerSecond: fields.integer('tokens_per_second', { minimum: 1, fallback: 4 }),
  }
  const all = new Map(tensors(sizes))
  return {
    kind: 'window-vit',
    sizes,
    network: network(sizes),
    tensors: all,
    stored: all,
    isUnused: () => false,
  }
}

const defaults = { hidden: 3584, layers: 32, intermediate: 3420, patchSize: 14 }

function network(sizes: WindowVitSizes): Tower {
  const { square, positionsPerSecond } = sizes
  const about = { levels: 1, positionsPerSecond }
  return gridNetwork(sizes, assumedSquares * square, about, (pass, weights, pixels, shape) =>
    record(pass, weights, sizes, pixels, shape),
  )
}

const prefix = 'vision_tower._vision_tower.'

function* tensors(sizes: WindowVitSizes): Generator<[string, Shape]> {
  const { hidden, intermediate, layers, patchSize, step } = sizes
  yield [`${prefix}embeddings.patch_embedding.weight`, [hidden, channels, step, patchSize, patchSize]]
  for (let i = 0; i < layers; i++) {
    const block = `${prefix}encoder.layers.${i}.`
    for (const norm of ['norm1', 'norm2']) yield [`${block}${norm}.weight`, [hidden]]
    yield* affine(`${block}attn.qkv`, [3 * hidden, hidden])
    yield* affine(`${block}attn.proj`, [hidden, hidden])
    for (const name of ['gate_proj', 'up_proj']) yield* affine(`${block}mlp.${name}`, [intermediate, hidden])
    yield* affine(`${block}mlp.down_proj`, [hidden, intermediate])
  }
}

function record(
  pass: Pass,
  weights: ParameterSet,
  sizes: WindowVitSizes,
  pixels: Tensor,
  shape: readonly number[],
): Tensor {
  const { recording } = pass
  const { layers, square, window, whole } = sizes
  const at = (name: string) => parameter(weights, prefix + name)
  const { moments, grid } = gridOfPatches(shape, square)
  const patched = patchesOf(recording, pixels, sizes, moments * grid.rows * grid.columns)
  const rotation = gridRotation(recording, sizes, grid, moments)
  const windows = windowsOf({ rows: element(shape, 2), columns: element(shape, 3) }, window)
  const seen = windowedRows(windows, moments, square ** 2)
  const lengths = recording.constant('window lengths', [seen.lengths.length], Uint32Array.from(seen.lengths))
  let x = linear(pass, patched, at('embeddings.patch_embedding.weight'))
  for (let i = 0; i < layers; i++) {
    const within = whole.includes(i)
      ? { batches: moments }
      : { ...seen, mask: { kind: 'lengths', lengths } as const }
    x = block(pass, sizes, { x, rotation, within }, name => at(`encoder.layers.${i}.${name}`))
  }
  return gridFeatures(pass, [x], shape)
}

/** Where the patches of all windows of a clip go, and how many each window has. */
function windowedRows({ windows, longest }: Windows, moments: number, area: number) {
  const squares = windows.reduce((sum, window) => sum + window.length, 0)
  const all = Array.from({ length: moments }, (_, moment) =>
    windows.map(window => window.map(place => moment * squares + place)),
  ).flat()
  const rows = all.flatMap(window =>
    Array.from({ length: longest * area }, (_, i) => {
      const place = window[Math.floor(i / area)]
      return place === undefined ? -1 : place * area + (i % area)
    }),
  )
  return {
    batches: all.length,
    pairs: rows.map((from, to): RowPair => ({ to, from })),
    back: rows.flatMap((to, from): RowPair[] => (to < 0 ? [] : [{ to, from }])),
    lengths: all.map(window => window.length * area),
  }
}

interface Within extends Pick<SelfAttention, 'batches' | 'mask'> {
  /** The rows of windows, and the way back from them; undefined where a patch sees its whole moment. */
  pairs?: readonly RowPair[]
  back?: readonly RowPair[]
}

function block(
  pass: Pass,
  { heads, hidden }: WindowVitSizes,
  { x, rotation, within }: { x: Tensor; rotation: Rotation; within: Within },
  at: (name: string) => ReturnType<typeof parameter>,
): Tensor {
  const type = pass.recording.factorType
  const norm = (input: Tensor, name: string) => rmsNorm(pass, input, at(`${name}.weight`), normEpsilon, type)
  const project = (input: Tensor, name: string, options = {}) =>
    linear(pass, input, at(`${name}.weight`), { bias: at(`${name}.bias`), ...options })
  const joined = project(norm(x, 'norm1'), 'attn.qkv', { type })
  // Queries and keys lie side by side, before the values.
  rope(pass, joined, rotation, 2 * heads, hidden / heads)
  const y = project(attended(pass, joined, { heads, headSize: hidden / heads, within }), 'attn.proj', {
    residual: x,
  })
  const z = norm(y, 'norm2')
  const gated = project(z, 'mlp.up_proj', { type, gate: project(z, 'mlp.gate_proj', { type }) })
  return project(gated, 'mlp.down_proj', { residual: y })
}

/** Attention of patches (rows, queries and keys and values) to their windows, or to their moments. */
function attended(
  pass: Pass,
  joined: Tensor,
  { heads, headSize, within }: { heads: number; headSize: number; within: Within },
): Tensor {
  const { batches, mask, pairs, back } = within
  const width = heads * headSize
  const see = (tensor: Tensor) => {
    const columns = [{ tensor }, { tensor, column: width }, { tensor, column: 2 * width }] as const
    return selfAttention(pass, columns, { batches, heads, headSize, ...(mask && { mask }) })
  }
  if (!pairs || !back) return see(joined)
  const apart = pass.output('patches of windows', [pairs.length, 3 * width], [joined])
  gatherInto(pass, joined, apart, pairs)
  const found = see(apart)
  const together = pass.output('attention of windows', [element(joined.shape, 0), width], [found])
  gatherInto(pass, found, together, back)
  return together
}

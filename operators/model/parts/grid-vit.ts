// tower.grid-vit: the vision tower of Qwen3-VL (arXiv:2511.21631): frames of any shape. Two frames are one moment; a patch is two
// frames deep. Positions are a learned table, stretched over the grid of patches, and rotations by row and by column. Some
// blocks on the way are features as well as the last one: DeepStack gives them to the first layers of the language model.
//
//   pixels of a moment   patches, square by square     features of a moment
//   2 · 3 · height ·     0 1 │ 4 5                      last block     │ square 0: patches 0 1 2 3, side by side │ square 1 …
//   width                2 3 │ 6 7                      block of level │ …
import { at as element } from '../../../engine/shared/at.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { addTable } from '../../../kernels/elementwise/activations.ts'
import { attention } from '../../../kernels/layers/attention.ts'
import { gatherInto, type RowPair } from '../../../kernels/layers/gather.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { layerNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type Rotation, rope } from '../../../kernels/layers/rope.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import { featureShape, type Grid, type Tower } from '../../../kernels/networks/shape.ts'
import { patches } from '../../../kernels/pixels/patches.ts'
import type { Recording } from '../../../kernels/plan/recording.ts'
import { columnSum } from '../../../kernels/rows/column-sum.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { squareOrder, tableMeans } from './grid-positions.ts'
import { joined } from './joined.ts'
import { affine, type Part, type Shape, type TowerUse } from './part.ts'

export interface GridVitSizes {
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  /** Pixels across a patch. */
  readonly patchSize: number
  /** Patches across a square that becomes one visual token. */
  readonly square: number
  /** Frames of one moment. */
  readonly step: number
  /** Positions across the learned table, which is a square. */
  readonly positions: number
  /** Blocks, counted from 0, whose outputs are features beside those of the last one. */
  readonly levels: readonly number[]
  readonly activation: 'gelu-tanh' | 'gelu-erf'
}

export interface GridVitPart extends Part<Tower> {
  readonly kind: 'grid-vit'
  readonly sizes: GridVitSizes
}

const channels = 3
const normEpsilon = 1e-6 // not in the configuration
const rotationBase = 10000 // neither

/** Reads the keys of Qwen3VLVisionConfig; absent ones get its defaults. */
export function gridVit(fields: ConfigFields, use?: TowerUse): GridVitPart {
  fields.only('model_type', 'qwen3_vl', 'qwen3_vl_vision')
  fields.only('in_channels', channels)
  if (use)
    fields.problem('model_type', 'frames of any shape need the architecture Qwen3VLForConditionalGeneration')
  const hidden = fields.integer('hidden_size', { minimum: 1, fallback: 1152 })
  const heads = fields.integer('num_heads', { minimum: 1, fallback: 16 })
  if (hidden % (4 * heads))
    fields.problem(
      'hidden_size',
      `must be a multiple of 4 · ${heads} heads, to be rotated in pairs by row and column, got ${hidden}`,
    )
  const layers = fields.integer('depth', { minimum: 1, maximum: 1000, fallback: 27 })
  const count = fields.integer('num_position_embeddings', { minimum: 1, fallback: 2304 })
  const positions = Math.round(Math.sqrt(count))
  if (positions ** 2 !== count)
    fields.problem('num_position_embeddings', `must be the positions of a square, got ${count}`)
  const activation = fields.oneOf('hidden_act', ['gelu_pytorch_tanh', 'gelu'], 'gelu_pytorch_tanh')
  const sizes: GridVitSizes = {
    hidden,
    heads,
    layers,
    positions,
    intermediate: fields.integer('intermediate_size', { minimum: 1, fallback: 4304 }),
    patchSize: fields.integer('patch_size', { minimum: 1, maximum: 2 ** 10, fallback: 16 }),
    square: fields.integer('spatial_merge_size', { minimum: 1, maximum: 64, fallback: 2 }),
    step: fields.integer('temporal_patch_size', { minimum: 1, maximum: 64, fallback: 2 }),
    levels: parseLevels(fields, layers),
    activation: activation === 'gelu' ? 'gelu-erf' : 'gelu-tanh',
  }
  const all = new Map(tensors(sizes))
  return {
    kind: 'grid-vit',
    sizes,
    network: network(sizes),
    tensors: all,
    stored: all,
    isUnused: () => false,
  }
}

function parseLevels(fields: ConfigFields, layers: number): number[] {
  const found = fields.raw('deepstack_visual_indexes') ?? [8, 16, 24]
  const isBlock = (one: unknown): one is number =>
    Number.isSafeInteger(one) && Number(one) >= 0 && Number(one) < layers
  if (
    Array.isArray(found) &&
    found.every(isBlock) &&
    found.every((one, i) => i === 0 || one > element(found, i - 1))
  )
    return found
  fields.problem(
    'deepstack_visual_indexes',
    `must be blocks from 0 to ${layers - 1} in rising order, got ${JSON.stringify(found)}`,
  )
  return []
}

function network(sizes: GridVitSizes): Tower {
  const { hidden, heads, layers, patchSize, square, step, positions, levels } = sizes
  // Plans assume frames as large as the table of positions, in whole squares.
  const across = Math.ceil(positions / square) * square
  const grid = { unit: patchSize * square, step, levels: levels.length + 1 }
  const tower: Tower = {
    hidden: hidden * square ** 2,
    blocks: layers,
    imageSize: across * patchSize,
    channels,
    tokens: across ** 2,
    frameTokens: grid.levels * (across / square) ** 2,
    scoreBytes: heads * across ** 4 * 4,
    grid,
    record: (pass, weights, pixels) =>
      record(pass, weights, sizes, pixels, featureShape(tower, pixels.shape)),
  }
  return tower
}

const prefix = 'vision_tower._vision_tower.'

function* tensors(sizes: GridVitSizes): Generator<[string, Shape]> {
  const { hidden, intermediate, layers, patchSize, step, positions } = sizes
  yield* affine(`${prefix}embeddings.patch_embedding`, [hidden, channels, step, patchSize, patchSize])
  yield [`${prefix}embeddings.position_embedding.weight`, [positions ** 2, hidden]]
  for (let i = 0; i < layers; i++) {
    const block = `${prefix}encoder.layers.${i}.`
    for (const norm of ['norm1', 'norm2']) yield* affine(block + norm, [hidden])
    yield* affine(`${block}attn.qkv`, [3 * hidden, hidden])
    yield* affine(`${block}attn.proj`, [hidden, hidden])
    yield* affine(`${block}mlp.linear_fc1`, [intermediate, hidden])
    yield* affine(`${block}mlp.linear_fc2`, [hidden, intermediate])
  }
}

function record(
  pass: Pass,
  weights: ParameterSet,
  sizes: GridVitSizes,
  pixels: Tensor,
  shape: readonly number[],
): Tensor {
  const { recording } = pass
  const { patchSize, square, step, levels, layers } = sizes
  const at = (name: string) => parameter(weights, prefix + name)
  const [moments, rows, columns] = [element(shape, 0), element(shape, 2) * square, element(shape, 3) * square]
  const count = rows * columns
  const patched = recording.tensor('patches', [moments * count, channels * step * patchSize ** 2])
  patches(recording, { pixels, out: patched, patch: patchSize, step, square })
  const start = linear(pass, patched, at('embeddings.patch_embedding.weight'), {
    bias: at('embeddings.patch_embedding.bias'),
  })
  addPositions(pass, start, at('embeddings.position_embedding.weight'), sizes, { rows, columns })
  const rotation = rotationOf(recording, sizes, { rows, columns }, moments)
  const outputs: Tensor[] = []
  let x = start
  for (let i = 0; i < layers; i++) {
    x = block(pass, sizes, { x, moments, rotation }, name => at(`encoder.layers.${i}.${name}`))
    if (levels.includes(i)) outputs.push(x)
  }
  // The last block's features come first. A row of features is a square of patches.
  const all = [x, ...outputs]
  const features = pass.output('vision features', shape, all)
  for (const [level, output] of all.entries()) {
    const pairs = Array.from({ length: moments * count }, (_, from): RowPair => {
      return { to: (Math.floor(from / count) * all.length + level) * count + (from % count), from }
    })
    gatherInto(pass, output, features, pairs)
  }
  return features
}

/** x (moments · patches, hidden) += the table of positions, stretched over the grid. */
function addPositions(
  pass: Pass,
  x: Tensor,
  table: ReturnType<typeof parameter>,
  { hidden, positions, square }: GridVitSizes,
  grid: Grid,
): void {
  const { recording } = pass
  const stretched = pass.output('positions of patches', [grid.rows * grid.columns, hidden], [], [table])
  gatherInto(pass, table, stretched, tableMeans(positions, grid, square))
  addTable(recording, { x, table: stretched })
  // Each of its rows was added to a row of every moment, so its gradient sums over the moments.
  pass.onBackward(x, dx => {
    if (!pass.wants(stretched)) return
    const { gradient, accumulate } = pass.into(stretched)
    if (!accumulate) recording.fill(gradient)
    columnSum(recording, { x: dx, out: gradient })
  })
}

/** Half of the pairs of a head turn by the row of its patch, half by the column. */
function rotationOf(
  recording: Recording,
  { hidden, heads, square }: GridVitSizes,
  grid: Grid,
  moments: number,
): Rotation {
  const quarter = hidden / heads / 4
  const count = grid.rows * grid.columns
  const angles = squareOrder(grid, square).flatMap(({ row, column }) =>
    [row, column].flatMap(place =>
      Array.from({ length: quarter }, (_, i) => place * rotationBase ** (-i / quarter)),
    ),
  )
  const table = (label: string, f: (x: number) => number) =>
    recording.constant(label, [count, 2 * quarter], Float32Array.from(angles, f))
  return {
    cosines: table('cosines', Math.cos),
    sines: table('sines', Math.sin),
    positions: recording.constant(
      'patch numbers',
      [moments * count],
      Uint32Array.from({ length: moments * count }, (_, i) => i % count),
    ),
  }
}

function block(
  pass: Pass,
  { heads, hidden, activation }: GridVitSizes,
  { x, moments, rotation }: { x: Tensor; moments: number; rotation: Rotation },
  at: (name: string) => ReturnType<typeof parameter>,
): Tensor {
  const rows = element(x.shape, 0) / moments
  const headSize = hidden / heads
  const type = pass.recording.factorType
  const norm = (input: Tensor, name: string) =>
    layerNorm(pass, input, {
      gain: at(`${name}.weight`),
      bias: at(`${name}.bias`),
      epsilon: normEpsilon,
      type,
    })
  const [queries, keys, values] = joined(pass, norm(x, 'norm1'), { names: ['attn.qkv'], at, width: hidden })
  // Queries and keys lie side by side in one tensor, before the values.
  rope(pass, queries.tensor, rotation, 2 * heads, headSize)
  const attended = attention(pass, {
    queries,
    keys,
    values,
    batches: moments,
    rows,
    keyRows: rows,
    heads,
    keyValueHeads: heads,
    headSize,
    scale: headSize ** -0.5,
    mask: { kind: 'none' },
  })
  const y = linear(pass, attended, at('attn.proj.weight'), { bias: at('attn.proj.bias'), residual: x })
  const fc1 = { bias: at('mlp.linear_fc1.bias'), type, activation } as const
  const wide = linear(pass, norm(y, 'norm2'), at('mlp.linear_fc1.weight'), fc1)
  return linear(pass, wide, at('mlp.linear_fc2.weight'), { bias: at('mlp.linear_fc2.bias'), residual: y })
}

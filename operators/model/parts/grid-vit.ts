// tower.grid-vit: the vision tower of Qwen3-VL (arXiv:2511.21631): frames of any shape. Two frames are one moment; a patch is two
// frames deep. Positions are a learned table, stretched over the grid of patches, and rotations by row and by column. Some
// blocks on the way are features as well as the last one: DeepStack gives them to the first layers of the language model.
//
//   pixels of a moment   patches, square by square     features of a moment
//   2 · 3 · height ·     0 1 │ 4 5                      last block     │ square 0: patches 0 1 2 3, side by side │ square 1 …
//   width                2 3 │ 6 7                      block of level │ …
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { addTable } from '../../../kernels/elementwise/activations.ts'
import { gatherInto } from '../../../kernels/layers/gather.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { layerNorm } from '../../../kernels/layers/norm.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import { type Rotation, rope } from '../../../kernels/layers/rope.ts'
import { type ParameterSet, parameter } from '../../../kernels/networks/parameters.ts'
import type { Grid, Tower } from '../../../kernels/networks/shape.ts'
import { columnSum } from '../../../kernels/rows/column-sum.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { tableMeans } from './grid-positions.ts'
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
import { joined, selfAttention } from './joined.ts'
import { affine, type Part, type Shape, type TowerUse } from './part.ts'

export interface GridVitSizes extends GridTowerSizes {
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

const normEpsilon = 1e-6 // not in the configuration

/** Reads the keys of Qwen3VLVisionConfig; absent ones get its defaults. */
export function gridVit(fields: ConfigFields, use?: TowerUse): GridVitPart {
  fields.only('model_type', 'qwen3_vl', 'qwen3_vl_vision')
  fields.only('in_channels', channels)
  const shared = parseGridTower(fields, defaults, {
    use,
    architecture: 'Qwen3VLForConditionalGeneration',
  })
  const count = fields.integer('num_position_embeddings', { minimum: 1, fallback: 2304 })
  const positions = Math.round(Math.sqrt(count))
  if (positions ** 2 !== count)
    fields.problem('num_position_embeddings', `must be the positions of a square, got ${count}`)
  const activation = fields.oneOf('hidden_act', ['gelu_pytorch_tanh', 'gelu'], 'gelu_pytorch_tanh')
  const sizes: GridVitSizes = {
    ...shared,
    positions,
    levels: parseBlocks(fields, 'deepstack_visual_indexes', shared.layers, [8, 16, 24]),
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

const defaults = { hidden: 1152, layers: 27, intermediate: 4304, patchSize: 16 }

function network(sizes: GridVitSizes): Tower {
  const { square, positions, levels } = sizes
  // Plans assume frames as large as the table of positions, in whole squares.
  const across = Math.ceil(positions / square) * square
  return gridNetwork(sizes, across, { levels: levels.length + 1 }, (pass, weights, pixels, shape) =>
    record(pass, weights, sizes, pixels, shape),
  )
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
  const { levels, layers, square } = sizes
  const at = (name: string) => parameter(weights, prefix + name)
  const { moments, grid } = gridOfPatches(shape, square)
  const patched = patchesOf(pass.recording, pixels, sizes, moments * grid.rows * grid.columns)
  const start = linear(pass, patched, at('embeddings.patch_embedding.weight'), {
    bias: at('embeddings.patch_embedding.bias'),
  })
  addPositions(pass, start, at('embeddings.position_embedding.weight'), sizes, grid)
  const rotation = gridRotation(pass.recording, sizes, grid, moments)
  const outputs: Tensor[] = []
  let x = start
  for (let i = 0; i < layers; i++) {
    x = block(pass, sizes, { x, moments, rotation }, name => at(`encoder.layers.${i}.${name}`))
    if (levels.includes(i)) outputs.push(x)
  }
  // The last block's features come first.
  return gridFeatures(pass, [x, ...outputs], shape)
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

function block(
  pass: Pass,
  { heads, hidden, activation }: GridVitSizes,
  { x, moments, rotation }: { x: Tensor; moments: number; rotation: Rotation },
  at: (name: string) => ReturnType<typeof parameter>,
): Tensor {
  const type = pass.recording.factorType
  const norm = (input: Tensor, name: string) =>
    layerNorm(pass, input, {
      gain: at(`${name}.weight`),
      bias: at(`${name}.bias`),
      epsilon: normEpsilon,
      type,
    })
  const columns = joined(pass, norm(x, 'norm1'), { names: ['attn.qkv'], at, width: hidden })
  // Queries and keys lie side by side in one tensor, before the values.
  rope(pass, columns[0].tensor, rotation, 2 * heads, hidden / heads)
  const attended = selfAttention(pass, columns, { batches: moments, heads, headSize: hidden / heads })
  const y = linear(pass, attended, at('attn.proj.weight'), { bias: at('attn.proj.bias'), residual: x })
  const fc1 = { bias: at('mlp.linear_fc1.bias'), type, activation } as const
  const wide = linear(pass, norm(y, 'norm2'), at('mlp.linear_fc1.weight'), fc1)
  return linear(pass, wide, at('mlp.linear_fc2.weight'), { bias: at('mlp.linear_fc2.bias'), residual: y })
}

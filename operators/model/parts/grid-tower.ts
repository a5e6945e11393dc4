// What towers for frames of any shape share: their patches square by square, rotations by row and by column, and features by moment.
import { at } from '../../../engine/shared/at.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { gatherInto, type RowPair } from '../../../kernels/layers/gather.ts'
import type { Pass } from '../../../kernels/layers/pass.ts'
import type { Rotation } from '../../../kernels/layers/rope.ts'
import type { ParameterSet } from '../../../kernels/networks/parameters.ts'
import { featureShape, type Grid, type Tower, type TowerGrid } from '../../../kernels/networks/shape.ts'
import { patches } from '../../../kernels/pixels/patches.ts'
import type { Recording } from '../../../kernels/plan/recording.ts'
import type { ConfigFields } from '../checkpoint/config-fields.ts'
import { squareOrder } from './grid-positions.ts'
import type { TowerUse } from './part.ts'

export interface GridTowerSizes {
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
  readonly ropeTheta: number
}

export const channels = 3

/** Reads the keys that the configurations of these towers share; absent ones get the defaults given. */
export function parseGridTower(
  fields: ConfigFields,
  defaults: { hidden: number; layers: number; intermediate: number; patchSize: number },
  { use, architecture }: { use: TowerUse | undefined; architecture: string },
): GridTowerSizes {
  if (use) fields.problem('model_type', `frames of any shape need the architecture ${architecture}`)
  const hidden = fields.integer('hidden_size', { minimum: 1, fallback: defaults.hidden })
  const heads = fields.integer('num_heads', { minimum: 1, fallback: 16 })
  if (hidden % (4 * heads))
    fields.problem(
      'hidden_size',
      `must be a multiple of 4 · ${heads} heads, to be rotated in pairs by row and column, got ${hidden}`,
    )
  return {
    hidden,
    heads,
    layers: fields.integer('depth', { minimum: 1, maximum: 1000, fallback: defaults.layers }),
    intermediate: fields.integer('intermediate_size', { minimum: 1, fallback: defaults.intermediate }),
    patchSize: fields.integer('patch_size', { minimum: 1, maximum: 2 ** 10, fallback: defaults.patchSize }),
    square: fields.integer('spatial_merge_size', { minimum: 1, maximum: 64, fallback: 2 }),
    step: fields.integer('temporal_patch_size', { minimum: 1, maximum: 64, fallback: 2 }),
    ropeTheta: parseTheta(fields.object('rope_parameters')),
  }
}

/** Files have it since transformers 5.17; before, it was in the code. */
function parseTheta(rope: ConfigFields): number {
  rope.only('rope_type', 'axial')
  rope.only('partial_rotary_factor', 1)
  return rope.number('rope_theta', { minimum: 1, maximum: 1e12, fallback: 10000 })
}

/** The network of such a tower. Plans of memory assume square frames, `across` patches wide. */
export function gridNetwork(
  { hidden, heads, layers, patchSize, square, step }: GridTowerSizes,
  across: number,
  about: Pick<TowerGrid, 'levels' | 'positionsPerSecond'>,
  record: (pass: Pass, weights: ParameterSet, pixels: Tensor, shape: readonly number[]) => Tensor,
): Tower {
  const tower: Tower = {
    hidden: hidden * square ** 2,
    blocks: layers,
    imageSize: across * patchSize,
    channels,
    tokens: across ** 2,
    frameTokens: about.levels * (across / square) ** 2,
    scoreBytes: heads * across ** 4 * 4,
    grid: { unit: patchSize * square, step, ...about },
    record: (pass, weights, pixels) => record(pass, weights, pixels, featureShape(tower, pixels.shape)),
  }
  return tower
}

/** A list of blocks, counted from 0. */
export function parseBlocks(
  fields: ConfigFields,
  key: string,
  layers: number,
  fallback: readonly number[],
): readonly number[] {
  const found = fields.raw(key) ?? fallback
  const isBlock = (one: unknown): one is number =>
    Number.isSafeInteger(one) && Number(one) >= 0 && Number(one) < layers
  if (
    Array.isArray(found) &&
    found.every(isBlock) &&
    found.every((one, i) => i === 0 || one > at(found, i - 1))
  )
    return found
  fields.problem(key, `must be blocks from 0 to ${layers - 1} in rising order, got ${JSON.stringify(found)}`)
  return []
}

/** The moments of a clip, and the grid of patches of one, by the shape of its features. */
export function gridOfPatches(shape: readonly number[], square: number): { moments: number; grid: Grid } {
  return { moments: at(shape, 0), grid: { rows: at(shape, 2) * square, columns: at(shape, 3) * square } }
}

/** The patches of pixels (frames, channels, height, width), square by square. */
export function patchesOf(
  recording: Recording,
  pixels: Tensor,
  sizes: GridTowerSizes,
  count: number,
): Tensor {
  const { patchSize, square, step } = sizes
  const patched = recording.tensor('patches', [count, channels * step * patchSize ** 2])
  patches(recording, { pixels, out: patched, patch: patchSize, step, square })
  return patched
}

/** Half of the pairs of a head turn by the row of its patch, half by the column. */
export function gridRotation(
  recording: Recording,
  { hidden, heads, square, ropeTheta }: GridTowerSizes,
  grid: Grid,
  moments: number,
): Rotation {
  const quarter = hidden / heads / 4
  const count = grid.rows * grid.columns
  const angles = squareOrder(grid, square).flatMap(({ row, column }) =>
    [row, column].flatMap(place =>
      Array.from({ length: quarter }, (_, i) => place * ropeTheta ** (-i / quarter)),
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

/** Outputs of blocks (moments · patches, hidden), a level each, as features of this shape: a row is a square of patches. */
export function gridFeatures(pass: Pass, levels: readonly Tensor[], shape: readonly number[]): Tensor {
  const features = pass.output('vision features', shape, levels)
  const [moments, rows] = [at(shape, 0), at(at(levels, 0).shape, 0)]
  const count = rows / moments
  for (const [level, output] of levels.entries()) {
    const pairs = Array.from({ length: rows }, (_, from): RowPair => {
      return { to: (Math.floor(from / count) * levels.length + level) * count + (from % count), from }
    })
    gatherInto(pass, output, features, pairs)
  }
  return features
}

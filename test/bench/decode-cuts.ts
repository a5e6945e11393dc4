import { type StepProductName, stepTileFor } from '../../kernels/decode/product-table.ts'
import type { StepTile } from '../../kernels/decode/product-tile.ts'
import { blocksOfTile } from '../../kernels/decode/product-tile.ts'
import { tiledSize, tileWeights } from '../../kernels/decode/tiled-weights.ts'
import type { Device } from '../../kernels/device/device.ts'
import type { Tensor } from '../../kernels/device/tensor.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { type CutProduct, cutProducts } from './decode-products.ts'
import { type BenchOptions, type Measurement, measure } from './measure.ts'
import { randomModel } from './released.ts'

/**
 * The products of a step with the tiles of kernels/decode/product-table.ts, or with every tile that it was chosen from; each
 * is compared with the first.
 */
export async function* decodeCuts(
  device: Device,
  { rounds, config, all, only }: BenchOptions,
): AsyncGenerator<Measurement> {
  if (device.units === 'none')
    throw new Error(
      `decode-cuts: ${device.info.device} has no matrix units; only GPUs that have them make such steps`,
    )
  const model = await randomModel(device, 'none', config)
  for (const rows of [8, 64])
    for (const product of cutProducts(model, rows)) {
      if (!`${product.name} ${rows}`.startsWith(only)) continue
      const chosen = stepTileFor(product.name, rows, product.inner, product)
      const tiles = [chosen, ...(all ? others(product.name, rows) : [])]
      yield* cutsOf(device, product, { rows, rounds, tiles })
    }
  model.weights.free()
}

interface Cuts {
  rows: number
  rounds: number
  tiles: readonly StepTile[]
}

async function* cutsOf(
  device: Device,
  product: CutProduct,
  { rows, rounds, tiles }: Cuts,
): AsyncGenerator<Measurement> {
  const bytes = 2 * product.columns * product.inner
  const inTiles = new Map<number, Tensor[]>()
  let wanted: Float32Array | undefined
  for (const tile of tiles) {
    const label = `${product.name} ${rows}: ${textOf(tile)}`
    try {
      const blocks = blocksOfTile(tile)
      const tiled = inTiles.get(blocks) ?? (await tilesOf(device, product, tile))
      inTiles.set(blocks, tiled)
      const recording = new Recording(device, 'float16')
      for (const each of tiled) product.record(recording, each, tile)
      const compiled = await compile(device, recording, 'cut')
      // Bursts of tens of milliseconds, since an idle GPU needs that long to reach its clock.
      const repeats = Math.ceil(0.02 / (tiled.length * (bytes / 3e12)))
      const seconds = await measure(rounds, async () => {
        compiled.run(Array.from({ length: repeats }, () => 'main'))
        await device.finish()
      })
      product.reset()
      compiled.run()
      const found = await device.read(product.result)
      compiled.free()
      wanted ??= found
      const difference = largestDifference(found, wanted)
      if (difference > 2e-2) console.error(`${label}: WRONG, differs by ${difference}`)
      yield { name: label, seconds: seconds.map(s => s / (repeats * tiled.length)), bytes }
    } catch (error) {
      // Some cuts need more workgroup memory than there is, or do not divide the columns.
      console.error(`${label}: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
    }
  }
  for (const tensor of [...inTiles.values()].flat()) device.freeTensor(tensor)
}

const textOf = (tile: StepTile): string => {
  const { divide, subgroups, columnBlocks, depth } = tile
  const rest = tile.divide === 'k' ? '' : ` of ${tile.rowDepth}, split in ${tile.splits}`
  return `${subgroups} subgroups by ${divide}, ${16 * columnBlocks} columns, ${depth}${rest} deep`
}

/** The weights of all layers in tiles. */
async function tilesOf(device: Device, product: CutProduct, tile: StepTile): Promise<Tensor[]> {
  const recording = new Recording(device, 'float16')
  const tiled = product.weightsOf(tile).map(weights => {
    const into = device.tensor('tiles', [tiledSize(weights)], 'f16')
    tileWeights(recording, weights, into)
    return into
  })
  const compiled = await compile(device, recording, 'tiles')
  compiled.run()
  await device.finish()
  compiled.free()
  return tiled
}

/** Relative to the root mean square. */
function largestDifference(found: Float32Array, wanted: Float32Array): number {
  let [largest, squares] = [0, 0]
  for (const [i, value] of wanted.entries()) {
    squares += value * value
    const difference = Math.abs((found[i] ?? Number.NaN) - value)
    if (!(difference <= largest)) largest = difference
  }
  return largest / Math.sqrt(squares / wanted.length)
}

function others(name: StepProductName, rows: number): StepTile[] {
  if (rows <= 16)
    return [4, 8, 16].flatMap(subgroups =>
      [1, 2].flatMap(columnBlocks =>
        [64, 128, 256].map(depth => ({ divide: 'k' as const, subgroups, columnBlocks, depth })),
      ),
    )
  const splits = { qkv: [4, 8], out: [4, 8], gated: [1, 2], down: [4, 6, 8, 12], head: [1] }[name]
  return [
    [4, 1],
    [4, 2],
    [8, 1],
  ].flatMap(([subgroups = 4, columnBlocks = 1]) =>
    [
      [64, 64],
      [32, 64],
      [64, 128],
      [32, 128],
    ].flatMap(([depth = 64, rowDepth = 64]) =>
      splits.map(split => ({
        divide: 'columns' as const,
        subgroups,
        columnBlocks,
        depth,
        rowDepth,
        splits: split,
      })),
    ),
  )
}

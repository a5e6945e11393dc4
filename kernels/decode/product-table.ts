import type { StepTile } from './product-tile.ts'

/** The products of a decode step. */
export type StepProductName = 'qkv' | 'out' | 'gated' | 'down' | 'head'

const byK = (subgroups: number, columnBlocks: number, depth: number): StepTile => {
  return { subgroups, columnBlocks, depth, divide: 'k' }
}
const byColumns = (subgroups: number, columnBlocks: number, depth: number): StepTile => {
  return { subgroups, columnBlocks, depth, divide: 'columns' }
}

/**
 * The tiles of the products of a decode step; `few` is up to 16 rows. Microseconds on an H200 (driver 580.159.04,
 * 2026-11-22, `bench decode-cuts --all`) of the released sizes, 8 rows and 64: qkv 13.5, 28.3; out 11.8, 20.9; gated
 * 32.6, 92.4; down 25.8, 59.7; head 169, 416.
 */
const tiles: Readonly<Record<StepProductName, { few: StepTile; many: StepTile }>> = {
  qkv: { few: byK(8, 1, 64), many: byK(4, 2, 64) },
  out: { few: byK(8, 1, 128), many: byK(8, 1, 64) },
  gated: { few: byColumns(4, 1, 64), many: byColumns(4, 2, 64) },
  down: { few: byK(16, 1, 64), many: byK(8, 1, 128) },
  head: { few: byColumns(2, 1, 128), many: byColumns(8, 1, 64) },
}

/**
 * The same for weights in tiles (tiled-weights.ts), from measurements of products without their ends. With them a step of 8
 * sequences takes 2.99 ms instead of 3.21, one of 64 8.17 ms instead of 9.19 (H200, 2026-11-29, `bench decode`).
 */
const tilesOfTiled: typeof tiles = {
  qkv: { few: byK(16, 2, 128), many: byK(8, 1, 32) },
  out: { few: byK(16, 2, 128), many: byK(8, 1, 32) },
  gated: { few: byK(4, 2, 64), many: byColumns(4, 2, 64) },
  down: { few: byK(16, 1, 64), many: byK(8, 1, 32) },
  head: { few: byK(4, 1, 64), many: byColumns(8, 1, 64) },
}

/**
 * The measured tile for `rows` rows of `inner` numbers. Narrower where its columns do not divide a `unit`, the columns that
 * must stay together, or where fewer subgroups already cover k.
 */
export function stepTileFor(
  name: StepProductName,
  rows: number,
  inner: number,
  { columns, unit, isTiled = false }: { columns: number; unit: number; isTiled?: boolean },
): StepTile {
  const best = { ...(isTiled ? tilesOfTiled : tiles)[name][rows <= 16 ? 'few' : 'many'] }
  // Weights in tiles are read in whole steps.
  while (isTiled && inner % best.depth !== 0) best.depth /= 2
  const columnBlocks = unit % (16 * best.columnBlocks) === 0 ? best.columnBlocks : 1
  if (best.divide === 'columns') {
    if (Math.ceil(columns / (16 * columnBlocks)) % best.subgroups === 0) return { ...best, columnBlocks }
    return byK(2, columnBlocks, isTiled ? best.depth : 64)
  }
  let { subgroups } = best
  while (subgroups > 2 && (subgroups / 2) * best.depth >= inner) subgroups /= 2
  return { ...best, columnBlocks, subgroups }
}

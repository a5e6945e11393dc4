import type { StepTile, TileOfColumns, TileOfK } from './product-tile.ts'

/** The products of a decode step. */
export type StepProductName = 'qkv' | 'out' | 'gated' | 'down' | 'head'

const byK = (subgroups: number, columnBlocks: number, depth: number): TileOfK => {
  return { divide: 'k', subgroups, columnBlocks, depth }
}
const byColumns = (
  subgroups: number,
  columnBlocks: number,
  depth: number,
  rowDepth: number,
  splits = 1,
): TileOfColumns => {
  return { divide: 'columns', subgroups, columnBlocks, depth, rowDepth, splits }
}

/**
 * The tiles of the products of a decode step; `few` is up to 16 rows. Microseconds in a step of the released sizes on an H200
 * (driver 580.159.04, 2026-11-29, `bench decode --profile`, less 6 of a dispatch alone) of 8 rows and 64: qkv 9, 13; out 7, 12;
 * gated 29, 60; down 19, 30; head 153, 243; then 4 to 5 where parts are added up.
 */
const tiles: Readonly<Record<StepProductName, { few: TileOfK; many: TileOfColumns }>> = {
  qkv: { few: byK(16, 2, 128), many: byColumns(4, 1, 64, 128, 4) },
  out: { few: byK(16, 2, 128), many: byColumns(4, 1, 64, 128, 4) },
  gated: { few: byK(4, 2, 64), many: byColumns(4, 2, 32, 128) },
  down: { few: byK(16, 1, 64), many: byColumns(4, 1, 64, 128, 8) },
  head: { few: byK(4, 1, 64), many: byColumns(8, 1, 64, 64) },
}

/**
 * The measured tile for `rows` rows of `inner` numbers; `columns` is what the product makes, and a `unit` of them must stay
 * together. Smaller where sizes do not divide by it, or where fewer subgroups already cover k.
 */
export function stepTileFor(
  name: StepProductName,
  rows: number,
  inner: number,
  { columns, unit }: { columns: number; unit: number },
): StepTile {
  const { few, many } = tiles[name]
  if (rows > 16) {
    const rowDepth = dividing(inner, many.rowDepth)
    const depth = Math.min(many.depth, rowDepth)
    const splits = Math.min(many.splits, inner / rowDepth)
    const columnTiles = Math.ceil(columns / 16)
    for (const columnBlocks of [many.columnBlocks, 1])
      for (let { subgroups } = many; subgroups >= 2; subgroups /= 2)
        if (columnTiles % (subgroups * columnBlocks) === 0)
          return { ...many, subgroups, columnBlocks, rowDepth, depth, splits }
  }
  const tile = rows > 16 ? byK(4, 1, 32) : few
  const columnBlocks = unit % (16 * tile.columnBlocks) === 0 ? tile.columnBlocks : 1
  const depth = dividing(inner, tile.depth)
  let { subgroups } = tile
  while (subgroups > 2 && (subgroups / 2) * depth >= inner) subgroups /= 2
  return { ...tile, columnBlocks, depth, subgroups }
}

/** The largest half, quarter, and so on of `depth` that divides `inner`, a multiple of 16. */
function dividing(inner: number, depth: number): number {
  return inner % depth === 0 ? depth : dividing(inner, depth / 2)
}

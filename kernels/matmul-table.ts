import type { UnitTile } from './matmul-units.ts'
import type { FewTile } from './matmul-units-few.ts'

/** What one workgroup of a tile takes for a step of 32 k, measured with many of them at once. */
interface Measured {
  tile: UnitTile
  /** Workgroups that run at once on the measured GPU. */
  atOnce: number
  /** µs for 32 k when so many run. */
  microseconds: number
}

const square = (subgroups: number, blocks: number): UnitTile => ({
  ...{ rowSubgroups: subgroups, columnSubgroups: subgroups },
  ...{ rowBlocks: blocks, columnBlocks: blocks, depth: 32 },
})

export const unitTiles: readonly Measured[] = [
  { tile: square(2, 4), atOnce: 264, microseconds: 1.1 },
  { tile: square(2, 2), atOnce: 528, microseconds: 0.8 },
  { tile: { ...square(2, 4), depth: 64 }, atOnce: 264, microseconds: 1.1 },
  { tile: { ...square(2, 4), columnBlocks: 2 }, atOnce: 396, microseconds: 1.1 },
  { tile: { ...square(2, 4), rowBlocks: 2 }, atOnce: 396, microseconds: 1.1 },
  { tile: { ...square(2, 4), rowSubgroups: 4 }, atOnce: 132, microseconds: 2 },
  { tile: { ...square(2, 4), columnSubgroups: 4 }, atOnce: 132, microseconds: 2 },
]

/** The tile that should be done first by the table: waves of workgroups times the time of one. */
export function tileFor(size: { rows: number; columns: number; inner: number; batches: number }): UnitTile {
  const cost = ({ tile, atOnce, microseconds }: Measured): number => {
    const down = Math.ceil(size.rows / (tile.rowSubgroups * tile.rowBlocks * 16))
    const across = Math.ceil(size.columns / (tile.columnSubgroups * tile.columnBlocks * 16))
    return Math.ceil((down * across * size.batches) / atOnce) * microseconds
  }
  return unitTiles.reduce((best, other) => (cost(other) < cost(best) ? other : best)).tile
}

/** How products of few rows are cut, where that is faster than tiles: up to 64 rows. */
export function fewTileFor(rows: number, columns: number): FewTile | undefined {
  if (rows > 64) return undefined
  if (rows > 16) return { subgroups: 4, columnBlocks: 2 }
  return { subgroups: 8, columnBlocks: columns < 8192 ? 1 : 2 }
}

import type { StepTile } from './decode-product.ts'

/** The products of a decode step. */
export type StepProductName = 'qkv' | 'out' | 'gated' | 'down' | 'head'

/** How the products of a decode step are cut; `few` is up to 16 rows. */
const tiles: Readonly<Record<StepProductName, { few: StepTile; many: StepTile }>> = {
  qkv: {
    few: { subgroups: 16, columnBlocks: 1, depth: 64 },
    many: { subgroups: 8, columnBlocks: 1, depth: 64 },
  },
  out: {
    few: { subgroups: 16, columnBlocks: 1, depth: 64 },
    many: { subgroups: 8, columnBlocks: 1, depth: 64 },
  },
  gated: {
    few: { subgroups: 4, columnBlocks: 2, depth: 64 },
    many: { subgroups: 4, columnBlocks: 2, depth: 64 },
  },
  down: {
    few: { subgroups: 16, columnBlocks: 1, depth: 64 },
    many: { subgroups: 8, columnBlocks: 1, depth: 64 },
  },
  head: {
    few: { subgroups: 4, columnBlocks: 2, depth: 64 },
    many: { subgroups: 4, columnBlocks: 2, depth: 64 },
  },
}

/** The measured cut for so many rows; narrower where it would not divide `unit` columns, or the sums' steps. */
export function stepTileFor(name: StepProductName, rows: number, inner: number, unit: number): StepTile {
  const best = tiles[name][rows <= 16 ? 'few' : 'many']
  const columnBlocks = unit % (16 * best.columnBlocks) === 0 ? best.columnBlocks : 1
  let { subgroups } = best
  while (subgroups > 2 && (subgroups / 2) * best.depth >= inner) subgroups /= 2
  return { ...best, columnBlocks, subgroups }
}

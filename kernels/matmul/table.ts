import type { FewTile } from './units-few.ts'
import type { UnitTile } from './units-layout.ts'

const square = (blocks: number): UnitTile => ({
  rowSubgroups: 2,
  columnSubgroups: 2,
  rowBlocks: blocks,
  columnBlocks: blocks,
  depth: 32,
})

/** The subgroups twice, each for half of 64 k: one such workgroup has all of a multiprocessor's registers. */
const paired = (rowBlocks: number): UnitTile => {
  return { ...square(4), rowBlocks, depth: 64, parts: 2 }
}

/**
 * Tiles of products on matrix units. TFLOPS on an H200 (driver 580.159.04, 2026-11-22, float16 factors): at nt 8192 ×
 * 11008 × 2048, nn 8192 × 2048 × 11008, tn 11008 × 2048 × 8192: large 242, 292, 259; deep 253, 268, 213; tall 246 at
 * nt. Of 16 frozen images, nt 11664 × 3456 × 1152, × 4304 × 1152 with GELU, × 1152 × 1152 and × 1152 × 4304 with
 * residual: large 227, 220, 164, 193; deep 231, 220, 191, 220; tall 245, 235, 211, 284. A prompt's nt 700 × 2048 × 2048,
 * × 11008, 700 × 11008 × 2048: large 122, 114, 207; deep 158, 176, 214; flat 173, 186. Never better: 48 k at a time, two
 * stages in workgroup memory (171 for 250; more than 25 kB a workgroup leave one where there were two), blocks straight
 * from storage (161), results straight to storage, 128 × 96, 96 × 96, 256 × 128. Of nt, nn at the same sizes makes 276:
 * blocks of b are read faster where its columns lie side by side. Since lanes store without bank conflicts (chunks.ts), large
 * makes 275 at that nt, 260 at 11664 × 4304 × 1152 and 269 at 3440 × 11008 × 2048 (2026-11-29).
 *
 * The driver gives a multiprocessor 48 KiB of workgroup memory in all. With tiles moved back inside the result, so that addresses
 * are computed once (a053f03, 2026-11-29): at the first nt, nn, tn large 268, 295, 280 to 292; over 271, 304, 281; over in bands of 22
 * 277, 296, 280; deep 250, 265, 264. nt 11664 × 1152 × 1152, × 3456 × 1152, × 4304 × 1152, × 1152 × 4304: large 194, 247, 251, 208;
 * 160 × 128 × 32 in bands of 12 204, 236, 242, 240; tall 191, 216, 203, 275. nt 3440 × 2048 × 2048, × 11008 × 2048: large 211, 259; tall
 * 217, 250; over 209, 267. Never better: 256 × 128 and 128 × 256 × 32 over (250 to 276), lines of 64 k that are stored in two steps
 * (250 for 253), two stages of 16 k but for tn (323 for 312, results straight to storage).
 */
export const unitTiles = {
  large: square(4),
  small: square(2),
  deep: paired(4),
}

/** For long products: near and far are the rows of tiles that share what is in the cache. */
export const overTiles = {
  near: { ...square(4), isOver: true },
  far: { ...square(4), isOver: true, band: 22 },
}

/** For `nt` of short k. */
export const lowTiles = { tall: { ...square(4), rowBlocks: 5, band: 12 } }

/** Further tiles for `nt`: rows of a that lie side by side would not divide among their lanes. */
export const ntTiles = { tall: paired(5), flat: paired(3) }

const skinny = (rowBlocks: number, columnBlocks: number): UnitTile => {
  return { rowSubgroups: 1, columnSubgroups: 1, rowBlocks, columnBlocks, depth: 256, parts: 8 }
}

/** Tiles of products of at most 16 rows or columns, the matrices of adapters: many subgroups share a long k. */
export const skinnyTiles = {
  fewColumns: skinny(2, 1),
  fewRows: skinny(1, 2),
}

/** Tiles that `bench -- gemm --all` times beside those in use. */
export const triedTiles: readonly UnitTile[] = [
  { ...paired(4), isOver: true },
  { ...paired(3), isOver: true },
]

/** Of a large GPU; each works on one paired tile at a time, or on two of the others. */
const multiprocessors = 132

/** Rows that tiles of this size make one after another, weighted by what flat ones lose to reading more often. */
function rowsInTurn(rows: number, columns: number, { rowBlocks, parts = 1 }: UnitTile): number {
  const tileRows = rowBlocks * 32
  const tiles = Math.ceil(rows / tileRows) * Math.ceil(columns / 128)
  const atOnce = parts === 1 ? 2 * multiprocessors : multiprocessors
  return Math.ceil(tiles / atOnce) * tileRows * (rowBlocks < 4 ? 1.18 : 1)
}

/**
 * The small tile only where most of a large one would lie outside the result. `halves` says that both factors are
 * float16: others would take twice the registers on their way. Factors whose rows are read across gain from pairs only
 * where tiles are fewer than multiprocessors.
 */
export function tileFor(
  { form, rows, columns, inner }: { form: 'nt' | 'nn' | 'tn'; rows: number; columns: number; inner: number },
  halves: boolean,
): UnitTile {
  if (inner >= 256 && Math.min(rows, columns) <= 32)
    return columns <= rows ? skinnyTiles.fewColumns : skinnyTiles.fewRows
  if (rows <= 64 || columns <= 64) return unitTiles.small
  if (!halves) return unitTiles.large
  const { deep } = unitTiles
  if (form === 'tn') return rowsInTurn(rows, columns, deep) <= 128 ? deep : unitTiles.large
  if (form === 'nn') return rowsInTurn(rows, columns, deep) <= 128 ? deep : overTiles.near
  const turns = (tile: UnitTile) => rowsInTurn(rows, columns, tile)
  // A paired tile is alone on its multiprocessor when it begins and ends, which a short k does not make up for.
  if (inner < 2048 && rows > 2048)
    return turns(lowTiles.tall) < turns(unitTiles.large) ? lowTiles.tall : unitTiles.large
  const best = Object.values(ntTiles).reduce((best, tile) => (turns(tile) < turns(best) ? tile : best), deep)
  // With this many turns nothing is idle at the end, and two workgroups a multiprocessor hide more of each other's loads.
  return turns(best) < 1024 ? best : overTiles.far
}

/** The tile of products of at most 64 rows; undefined above. Other tiles of 8 × 2560 × 2048 took up to 1.8 times as long. */
export function fewTileFor(rows: number, columns: number): FewTile | undefined {
  if (rows > 64) return undefined
  if (rows > 16) return { subgroups: 4, columnBlocks: 2 }
  return { subgroups: 8, columnBlocks: columns < 8192 ? 1 : 2 }
}

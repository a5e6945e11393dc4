import type { UnitTile } from './matmul-units.ts'
import type { FewTile } from './matmul-units-few.ts'

const square = (blocks: number): UnitTile => ({
  ...{ rowSubgroups: 2, columnSubgroups: 2 },
  ...{ rowBlocks: blocks, columnBlocks: blocks, depth: 32 },
})

/**
 * Cuts of products on matrix units. TFLOPS on an H200 (driver 580.159.04, 2026-11-22, `bench gemm --all`) at nt
 * 8192 × 11008 × 2048, nn 8192 × 2048 × 11008, tn 11008 × 2048 × 8192, nt 700 × 2048 × 2048:
 * 128 × 128: 235, 266, 280, 126; 64 × 64: 140, 133, 173, 73. Tried and never better by more than their spread: a depth
 * of 64 (179, 187, 159, 127), 128 × 64, 64 × 128, 256 × 128, 128 × 256. Where the GPU's multiprocessors get one large
 * tile each at most, more subgroups and a depth of 64 wait less often: at nt 700 × 2048 × 2048 and × 11008, factors in
 * float16, 159 and 167 instead of 122 and 117; with one part 126 and 150.
 */
export const unitTiles = { large: square(4), small: square(2), deep: { ...square(4), depth: 64, parts: 2 } }

/** About as many large tiles as a large GPU works on at once, one on each multiprocessor. */
const fewTiles = 140

/**
 * The small tile only where most of a large one would lie outside the result. `halves` says that both factors are
 * float16: others would take twice the registers on their way.
 */
export function tileFor(rows: number, columns: number, halves: boolean): UnitTile {
  if (rows <= 64 || columns <= 64) return unitTiles.small
  const tiles = Math.ceil(rows / 128) * Math.ceil(columns / 128)
  return halves && tiles <= fewTiles ? unitTiles.deep : unitTiles.large
}

/** How products of at most 64 rows are cut; undefined above. Other cuts of 8 × 2560 × 2048 took up to 1.8 times as long. */
export function fewTileFor(rows: number, columns: number): FewTile | undefined {
  if (rows > 64) return undefined
  if (rows > 16) return { subgroups: 4, columnBlocks: 2 }
  return { subgroups: 8, columnBlocks: columns < 8192 ? 1 : 2 }
}

import type { Target } from '../device/kernel.ts'
import type { Tensor } from '../device/tensor.ts'
import type { AttentionShape, Heads } from './flash-shape.ts'

/** How `flashAttention` divides the work of a head. */
export interface FlashTile {
  subgroups: number
  /** Blocks of 16 rows that a subgroup makes: each block of keys or values that it reads serves all of them. */
  rowBlocks: 1 | 2
  /** Keys at a time, a multiple of 16; of 32 where a subgroup has one block of rows. */
  keyTile: number
  /** Whether keys and values take turns in one room of workgroup memory: more barriers, more room for rows. */
  turns: boolean
}

/**
 * Microseconds on an H200 (driver 580.159.04, 2026-11-22), out of 40 or 300 in a row: 16 frames of 729 rows, 16 heads of
 * 72; 700 rows under a causal mask, 16 heads of 128 on 2; 3448 rows of such, a prompt and 8 completions.
 *
 * | subgroups, row blocks, keys | frames | 700 rows | 3448 rows |
 * | --- | --- | --- | --- |
 * | 8, 2, 32 | 336 | | |
 * | 16, 1, 32 | 353 | | |
 * | 4, 2, 32 | 488 | | |
 * | 8, 1, 32 | 500 | 55 | 217 |
 * | 8, 1, 64 in turns | 475 | | |
 * | 4, 1, 64 in turns | | 43 | 207 |
 *
 * The more rows a workgroup has, the fewer times keys and values are fetched, which was more than a third of the time
 * with 64; 256 rows of heads up to 80 just fit into 48 KiB.
 */
const wide: FlashTile = { subgroups: 8, rowBlocks: 2, keyTile: 32, turns: false }
const narrow: FlashTile = { subgroups: 4, rowBlocks: 1, keyTile: 64, turns: true }
/** Software adapters have 32 KiB of workgroup memory, and compile long kernels for long. */
const small: FlashTile = { subgroups: 2, rowBlocks: 1, keyTile: 32, turns: true }

/** The tile that measured best. */
export function flashTileOf({ mask, rows, headSize }: AttentionShape, { units }: Target): FlashTile {
  if (units === 'emulated') return small
  return mask.kind !== 'causal' && rows > 128 && headSize <= 80 ? wide : narrow
}

export interface FlashAttention extends AttentionShape {
  queries: Heads
  keys: Heads
  values: Heads
  /** (batches · rows, heads · headSize), f32 or f16 */
  out: Tensor
  /** (batches, heads, rows): log Σ exp of each row's scores */
  logSums: Tensor
  /** By default what the table says: for measuring and testing. */
  tile?: FlashTile
}

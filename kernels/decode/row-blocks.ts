// Rows as matrix units read them: in blocks of 16 rows × 16 k, each one run of memory, so that a subgroup loads a block at once.
// Where 8 rows are all there are, blocks have 8.
//
//             k / 16 →                          a block:  r0 k0…k15, r1 k0…k15, …, r15 k0…k15
//           ┌───┬───┬───┐
//   rows/16 │ 0 │ 2 │ 4 │  numbers: order in memory
//           │ 1 │ 3 │ 5 │
//           └───┴───┴───┘

/** Height of a block: 8 rows when they suffice, else 16. */
export const blockRowsOf = (rows: number): 8 | 16 => (rows <= 8 ? 8 : 16)

/**
 * Shape of rows in blocks: (inner / 16, blocks of rows, 8 or 16 rows, 16 k). Rows past the last may hold anything. Throws
 * when 16 does not divide `inner`.
 */
export function blocksOf(rows: number, inner: number): readonly number[] {
  if (inner % 16 !== 0) throw new Error(`decode: rows must hold a multiple of 16 numbers, got ${inner}`)
  const high = blockRowsOf(rows)
  return [inner / 16, Math.ceil(rows / high), high, 16]
}

/** WGSL: `block_index(row, k, row_blocks)`, the place of an element in blocks of `high` rows. */
export const blockIndexWgsl = (high: number): string => `
fn block_index(row: u32, k: u32, row_blocks: u32) -> u32 {
  return ((k >> 4u) * row_blocks + row / ${high}u) * ${high * 16}u + row % ${high}u * 16u + (k & 15u);
}`

/**
 * Sums of squares of rows, from which the reader of a normed row takes its scale: (parts + 1, padded rows). Row `parts`
 * holds the scale that the writer used in place of the exact one, to stay within float16.
 */
export const squaresOf = (rows: number, parts: number): readonly number[] => [
  parts + 1,
  Math.ceil(rows / blockRowsOf(rows)) * blockRowsOf(rows),
]

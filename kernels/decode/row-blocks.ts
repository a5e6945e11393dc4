/** Rows of a block of float16 factors, as there are so many rows: the units' narrow blocks where they are enough. */
export const blockRowsOf = (rows: number): 8 | 16 => (rows <= 8 ? 8 : 16)

/**
 * Rows as factors of matrix units: float16 blocks (k / 16, rows / 16, 16 rows, 16 k), of 8 rows where that is
 * all, so that a subgroup reads a block as one run. Rows past the last are never looked at.
 */
export function blocksOf(rows: number, inner: number): readonly number[] {
  if (inner % 16 !== 0) throw new Error(`decode: rows must hold a multiple of 16 numbers, got ${inner}`)
  const high = blockRowsOf(rows)
  return [inner / 16, Math.ceil(rows / high), high, 16]
}

/** WGSL: where element (row, k) lies in blocks of so many rows, `row_blocks` of them side by side. */
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

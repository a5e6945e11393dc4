// Places of patches in a grid, and the mean of rows of a square table that belongs to each.
import { at } from '../../../engine/shared/at.ts'
import type { RowPair } from '../../../kernels/layers/gather.ts'
import type { Grid } from '../../../kernels/networks/shape.ts'

export interface Place {
  row: number
  column: number
}

/** The places of a grid, square by square of this many across, as `patches` orders them. */
export function squareOrder({ rows, columns }: Grid, square: number): Place[] {
  const squaresAcross = columns / square
  return Array.from({ length: rows * columns }, (_, i) => {
    const [place, inner] = [Math.floor(i / square ** 2), i % square ** 2]
    return {
      row: Math.floor(place / squaresAcross) * square + Math.floor(inner / square),
      column: (place % squaresAcross) * square + (inner % square),
    }
  })
}

/**
 * Bilinear interpolation of a table (across, across) at the places of a grid whose corners are those of the table: for each place
 * the four rows of the table around it, with their weights. As transformers has it, steps are in float32.
 */
export function tableMeans(across: number, grid: Grid, square: number): RowPair[] {
  const [down, right] = [steps(across, grid.rows), steps(across, grid.columns)]
  return squareOrder(grid, square).flatMap(({ row, column }, to) => {
    const [y, x] = [at(down, row), at(right, column)]
    const next = (place: number) => Math.min(Math.floor(place) + 1, across - 1)
    const rows = [
      { row: Math.floor(y), weight: 1 - (y % 1) },
      { row: next(y), weight: y % 1 },
    ]
    const columns = [
      { column: Math.floor(x), weight: 1 - (x % 1) },
      { column: next(x), weight: x % 1 },
    ]
    return rows.flatMap(one =>
      columns.map(other => ({
        to,
        from: one.row * across + other.column,
        weight: one.weight * other.weight,
      })),
    )
  })
}

/** `count` places from the first to the last of a table's side, evenly spaced; a single one is the first. */
const steps = (across: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.fround(count > 1 ? (i * (across - 1)) / (count - 1) : 0))

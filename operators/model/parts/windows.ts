import type { Grid } from '../../../kernels/networks/shape.ts'

export interface Windows {
  /** The squares of each window, numbered row by row in the grid, as `squareOrder` has them. */
  windows: number[][]
  /** Squares of the longest. */
  longest: number
}

/** The windows of a grid of squares, this many across; those at the right and lower edges hold what is left. */
export function windowsOf({ rows, columns }: Grid, across: number): Windows {
  const [down, right] = [Math.ceil(rows / across), Math.ceil(columns / across)]
  const windows = Array.from({ length: down * right }, () => [] as number[])
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      windows[Math.floor(row / across) * right + Math.floor(column / across)]?.push(row * columns + column)
  return { windows, longest: Math.max(...windows.map(({ length }) => length)) }
}

import type { Matrix } from './tape.ts'

/** The rows of a matrix, normalised. */
export interface Normal {
  values: Float64Array
  /** One for each row. */
  scales: number[]
}

/** Normalises every row by itself. */
export function byRow(
  { shape: [rows, columns], data }: Matrix,
  normalise: (row: Float64Array) => { values: Float64Array; scale: number },
): Normal {
  const normal: Normal = { values: new Float64Array(data.length), scales: [] }
  for (let row = 0; row < rows; row++) {
    const { values, scale } = normalise(data.subarray(row * columns, (row + 1) * columns))
    normal.values.set(values, row * columns)
    normal.scales.push(scale)
  }
  return normal
}

/** Adds to the gain's gradient; returns the derivative of the normal values. */
export function gainBackward(
  dy: Float64Array,
  gain: Matrix,
  values: Float64Array,
  columns: number,
): Float64Array<ArrayBuffer> {
  if (gain.gradient) for (let i = 0; i < dy.length; i++) gain.gradient[i % columns] += dy[i] * values[i]
  return Float64Array.from(dy, (value, i) => value * gain.data[i % columns])
}

/** dx += scale · (dn − n · mean(dn · n) [− mean(dn)]), by row, for normal values n. */
export function addNormSlope(
  { shape: [rows, columns], gradient }: Matrix,
  inner: Float64Array,
  { values, scales }: Normal,
  centred: boolean,
): void {
  if (!gradient) return
  for (let row = 0; row < rows; row++) {
    const at = row * columns
    const dn = inner.subarray(at, at + columns)
    const along = mean(dn.map((value, j) => value * values[at + j]))
    const shift = centred ? mean(dn) : 0
    for (let j = 0; j < columns; j++)
      gradient[at + j] += scales[row] * (dn[j] - values[at + j] * along - shift)
  }
}

export const mean = (values: Float64Array): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

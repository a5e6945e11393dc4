import { addNormSlope, byRow, gainBackward, mean } from './norm-slopes.ts'
import { type Block, rearrange } from './rearrange.ts'
import type { Matrix, Shape, Tape } from './tape.ts'

/** nn: a·b, nt: a·bᵀ, tn: aᵀ·b. */
export type Form = 'nn' | 'nt' | 'tn'

export function matmul(tape: Tape, a: Matrix, b: Matrix, form: Form): Matrix {
  const [m, inner] = form === 'tn' ? [a.shape[1], a.shape[0]] : a.shape
  const [k, n] = form === 'nt' ? [b.shape[1], b.shape[0]] : b.shape
  expectEqual('matmul', inner, k)
  const y = new Float64Array(m * n)
  const [left, right] = [tape.factor(a.data), tape.factor(b.data)]
  addProduct(y, left, right, [m, n, k], form)
  return tape.result([m, n], y, [a, b], derivative => {
    const [da, db] = [a.gradient, b.gradient]
    const dy = tape.factor(derivative)
    if (form === 'nn') {
      if (da) addProduct(da, dy, right, [m, k, n], 'nt')
      if (db) addProduct(db, left, dy, [k, n, m], 'tn')
    } else if (form === 'nt') {
      if (da) addProduct(da, dy, right, [m, k, n], 'nn')
      if (db) addProduct(db, dy, left, [n, k, m], 'tn')
    } else {
      if (da) addProduct(da, right, dy, [k, m, n], 'nt')
      if (db) addProduct(db, left, dy, [k, n, m], 'nn')
    }
  })
}

/** out (m, n) += the product of a and b over k. */
function addProduct(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  [m, n, k]: readonly [number, number, number],
  form: Form,
): void {
  for (let i = 0; i < m; i++) {
    if (form === 'nt') {
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let l = 0; l < k; l++) sum += a[i * k + l] * b[j * k + l]
        out[i * n + j] += sum
      }
      continue
    }
    for (let l = 0; l < k; l++) {
      const factor = form === 'nn' ? a[i * k + l] : a[l * m + i]
      if (factor !== 0) for (let j = 0; j < n; j++) out[i * n + j] += factor * b[l * n + j]
    }
  }
}

export function add(tape: Tape, a: Matrix, b: Matrix): Matrix {
  expectEqual('add', a.data.length, b.data.length)
  const y = a.data.map((value, i) => value + b.data[i])
  return tape.result(a.shape, y, [a, b], dy => {
    for (const { gradient } of [a, b]) if (gradient) for (let i = 0; i < dy.length; i++) gradient[i] += dy[i]
  })
}

export function multiply(tape: Tape, a: Matrix, b: Matrix): Matrix {
  expectEqual('multiply', a.data.length, b.data.length)
  const y = a.data.map((value, i) => value * b.data[i])
  return tape.result(a.shape, y, [a, b], dy => {
    if (a.gradient) for (let i = 0; i < dy.length; i++) a.gradient[i] += dy[i] * b.data[i]
    if (b.gradient) for (let i = 0; i < dy.length; i++) b.gradient[i] += dy[i] * a.data[i]
  })
}

/** Adds the row `bias` to every row of x. */
export function addBias(tape: Tape, x: Matrix, bias: Matrix): Matrix {
  const columns = x.shape[1]
  expectEqual('addBias', columns, bias.data.length)
  const y = x.data.map((value, i) => value + bias.data[i % columns])
  return tape.result(x.shape, y, [x, bias], dy => {
    if (x.gradient) for (let i = 0; i < dy.length; i++) x.gradient[i] += dy[i]
    if (bias.gradient) for (let i = 0; i < dy.length; i++) bias.gradient[i % columns] += dy[i]
  })
}

export function scale(tape: Tape, x: Matrix, factor: number): Matrix {
  return pointwise(
    tape,
    x,
    value => factor * value,
    () => factor,
  )
}

/** y[i] = x[rows[i]]; a row taken several times adds up in the gradient. */
export function gatherRows(tape: Tape, x: Matrix, rows: readonly number[]): Matrix {
  const size: Shape = [1, x.shape[1]]
  const blocks = rows.map((row, i): Block => ({ part: x, from: [row, 0], to: [i, 0], size }))
  return rearrange(tape, [rows.length, x.shape[1]], blocks)
}

export function concatRows(tape: Tape, parts: readonly Matrix[]): Matrix {
  let rows = 0
  const blocks = parts.map((part): Block => {
    rows += part.shape[0]
    return { part, from: [0, 0], to: [rows - part.shape[0], 0], size: part.shape }
  })
  return rearrange(tape, [rows, parts[0].shape[1]], blocks)
}

export function concatColumns(tape: Tape, parts: readonly Matrix[]): Matrix {
  let columns = 0
  const blocks = parts.map((part): Block => {
    columns += part.shape[1]
    return { part, from: [0, 0], to: [0, columns - part.shape[1]], size: part.shape }
  })
  return rearrange(tape, [parts[0].shape[0], columns], blocks)
}

export function sliceRows(tape: Tape, x: Matrix, start: number, count: number): Matrix {
  const size: Shape = [count, x.shape[1]]
  return rearrange(tape, size, [{ part: x, from: [start, 0], to: [0, 0], size }])
}

export function sliceColumns(tape: Tape, x: Matrix, start: number, count: number): Matrix {
  const size: Shape = [x.shape[0], count]
  return rearrange(tape, size, [{ part: x, from: [0, start], to: [0, 0], size }])
}

/** y = gain · x / √(mean x² + epsilon), by row. */
export function rmsNorm(tape: Tape, x: Matrix, gain: Matrix, epsilon: number): Matrix {
  const columns = x.shape[1]
  const normal = byRow(x, row => {
    const scale = 1 / Math.sqrt(mean(row.map(value => value * value)) + epsilon)
    return { values: row.map(value => value * scale), scale }
  })
  const y = normal.values.map((value, i) => value * gain.data[i % columns])
  return tape.result(x.shape, y, [x, gain], dy => {
    const inner = gainBackward(dy, gain, normal.values, columns)
    addNormSlope(x, inner, normal, false)
  })
}

/** y = gain · (x − mean) / √(variance + epsilon) + bias, by row; the variance divides by the number of columns. */
export function layerNorm(tape: Tape, x: Matrix, gain: Matrix, bias: Matrix, epsilon: number): Matrix {
  const columns = x.shape[1]
  const normal = byRow(x, row => {
    const centre = mean(row)
    const centred = row.map(value => value - centre)
    const scale = 1 / Math.sqrt(mean(centred.map(value => value * value)) + epsilon)
    return { values: centred.map(value => value * scale), scale }
  })
  const y = normal.values.map((value, i) => value * gain.data[i % columns] + bias.data[i % columns])
  return tape.result(x.shape, y, [x, gain, bias], dy => {
    const inner = gainBackward(dy, gain, normal.values, columns)
    if (bias.gradient) for (let i = 0; i < dy.length; i++) bias.gradient[i % columns] += dy[i]
    addNormSlope(x, inner, normal, true)
  })
}

/** x · Φ(x) by its approximation with a hyperbolic tangent. */
export function geluTanh(tape: Tape, x: Matrix): Matrix {
  const c = Math.sqrt(2 / Math.PI)
  const bend = (v: number) => Math.tanh(c * (v + 0.044715 * v ** 3))
  const slope = (v: number) =>
    0.5 * (1 + bend(v)) + 0.5 * v * (1 - bend(v) ** 2) * c * (1 + 3 * 0.044715 * v * v)
  return pointwise(tape, x, v => 0.5 * v * (1 + bend(v)), slope)
}

/** x · Φ(x), Φ the normal distribution. */
export function geluErf(tape: Tape, x: Matrix): Matrix {
  const phi = (v: number) => 0.5 * (1 + erf(v / Math.SQRT2))
  const density = (v: number) => Math.exp(-v * v * 0.5) / Math.sqrt(2 * Math.PI)
  return pointwise(
    tape,
    x,
    v => v * phi(v),
    v => phi(v) + v * density(v),
  )
}

/** erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)): no cancellation, as all terms have one sign. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x)
  let [sum, term] = [x, x]
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

export function silu(tape: Tape, x: Matrix): Matrix {
  const sigmoid = (v: number) => 1 / (1 + Math.exp(-v))
  return pointwise(
    tape,
    x,
    v => v * sigmoid(v),
    v => sigmoid(v) * (1 + v * (1 - sigmoid(v))),
  )
}

/** Softmax of each row over the columns that it may see; the others get 0. A row must see one at least. */
export function softmax(tape: Tape, x: Matrix, sees: (row: number, column: number) => boolean): Matrix {
  const [rows, columns] = x.shape
  const y = new Float64Array(x.data.length)
  for (let row = 0; row < rows; row++) {
    let largest = Number.NEGATIVE_INFINITY
    for (let j = 0; j < columns; j++) if (sees(row, j)) largest = Math.max(largest, x.data[row * columns + j])
    let sum = 0
    for (let j = 0; j < columns; j++) {
      if (sees(row, j)) y[row * columns + j] = Math.exp(x.data[row * columns + j] - largest)
      sum += y[row * columns + j]
    }
    for (let j = 0; j < columns; j++) y[row * columns + j] /= sum
  }
  return tape.result(x.shape, y, [x], dy => {
    if (!x.gradient) return
    for (let row = 0; row < rows; row++) {
      let along = 0
      for (let i = row * columns; i < (row + 1) * columns; i++) along += dy[i] * y[i]
      for (let i = row * columns; i < (row + 1) * columns; i++) x.gradient[i] += y[i] * (dy[i] - along)
    }
  })
}

/** Rotates dimension j of a head with j + half by the angle position · theta^(−2j / head size); a row has one position. */
export function rope(tape: Tape, x: Matrix, positions: readonly number[], theta: number): Matrix {
  const [rows, size] = x.shape
  const half = size / 2
  const frequencies = Array.from({ length: half }, (_, j) => theta ** ((-2 * j) / size))
  const rotated = (from: Float64Array, into: Float64Array, direction: 1 | -1): void => {
    for (let row = 0; row < rows; row++)
      for (let j = 0; j < half; j++) {
        const angle = positions[row] * frequencies[j]
        const [cosine, sine] = [Math.cos(angle), direction * Math.sin(angle)]
        const [first, second] = [row * size + j, row * size + j + half]
        into[first] += from[first] * cosine - from[second] * sine
        into[second] += from[second] * cosine + from[first] * sine
      }
  }
  const y = new Float64Array(x.data.length)
  rotated(x.data, y, 1)
  return tape.result(x.shape, y, [x], dy => {
    if (x.gradient) rotated(dy, x.gradient, -1)
  })
}

/** Log-probability of one id for each row of logits: (rows, 1). */
export function logProbabilities(tape: Tape, logits: Matrix, ids: readonly number[]): Matrix {
  const [rows, columns] = logits.shape
  expectEqual('logProbabilities', rows, ids.length)
  const rowOf = (row: number) => logits.data.subarray(row * columns, (row + 1) * columns)
  const logSums = ids.map((_, row) => logSumOfExponentials(rowOf(row)))
  const y = Float64Array.from(ids, (id, row) => rowOf(row)[id] - logSums[row])
  return tape.result([rows, 1], y, [logits], dy => {
    if (!logits.gradient) return
    for (let row = 0; row < rows; row++) {
      for (let j = 0; j < columns; j++)
        logits.gradient[row * columns + j] -= dy[row] * Math.exp(rowOf(row)[j] - logSums[row])
      logits.gradient[row * columns + ids[row]] += dy[row]
    }
  })
}

function logSumOfExponentials(values: Float64Array): number {
  const largest = values.reduce((a, b) => Math.max(a, b))
  return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0))
}

function pointwise(
  tape: Tape,
  x: Matrix,
  value: (v: number) => number,
  slope: (v: number) => number,
): Matrix {
  return tape.result(x.shape, x.data.map(value), [x], dy => {
    if (x.gradient) for (let i = 0; i < dy.length; i++) x.gradient[i] += dy[i] * slope(x.data[i])
  })
}

function expectEqual(operation: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${operation}: sizes ${found} and ${expected} must be equal`)
}

import t from 'tap'
import { finiteDifferences } from '../../kernels/finite-differences.ts'
import { relativeError } from '../golden/row.ts'
import * as op from './operations.ts'
import { randomOf } from './random.ts'
import { constant, type Matrix, type Shape, Tape, variable } from './tape.ts'

type Operation = (tape: Tape, inputs: readonly Matrix[]) => Matrix

// Every operation with the shapes of its inputs, odd ones and 1 among them.
const operations: Record<string, [Operation, ...Shape[]]> = {
  'matmul nn': [(tape, [a, b]) => op.matmul(tape, a, b, 'nn'), [3, 5], [5, 2]],
  'matmul nt': [(tape, [a, b]) => op.matmul(tape, a, b, 'nt'), [3, 5], [2, 5]],
  'matmul tn': [(tape, [a, b]) => op.matmul(tape, a, b, 'tn'), [5, 3], [5, 2]],
  'matmul of one': [(tape, [a, b]) => op.matmul(tape, a, b, 'nn'), [1, 1], [1, 1]],
  'matmul with itself': [(tape, [a]) => op.matmul(tape, a, a, 'nt'), [3, 2]],
  add: [(tape, [a, b]) => op.add(tape, a, b), [2, 3], [2, 3]],
  'add to itself': [(tape, [a]) => op.add(tape, a, a), [2, 3]],
  multiply: [(tape, [a, b]) => op.multiply(tape, a, b), [2, 3], [2, 3]],
  addBias: [(tape, [x, bias]) => op.addBias(tape, x, bias), [3, 4], [1, 4]],
  scale: [(tape, [x]) => op.scale(tape, x, -0.7), [2, 3]],
  gatherRows: [(tape, [x]) => op.gatherRows(tape, x, [2, 0, 2, 2]), [4, 3]],
  concatRows: [(tape, [a, b]) => op.concatRows(tape, [a, b, a]), [2, 3], [1, 3]],
  concatColumns: [(tape, [a, b]) => op.concatColumns(tape, [a, b, a]), [2, 3], [2, 1]],
  sliceRows: [(tape, [x]) => op.sliceRows(tape, x, 1, 2), [4, 3]],
  sliceColumns: [(tape, [x]) => op.sliceColumns(tape, x, 1, 2), [3, 4]],
  rmsNorm: [(tape, [x, gain]) => op.rmsNorm(tape, x, gain, 0.01), [3, 5], [1, 5]],
  layerNorm: [(tape, [x, gain, bias]) => op.layerNorm(tape, x, gain, bias, 0.01), [3, 5], [1, 5], [1, 5]],
  geluTanh: [(tape, [x]) => op.geluTanh(tape, x), [3, 5]],
  geluErf: [(tape, [x]) => op.geluErf(tape, x), [3, 5]],
  silu: [(tape, [x]) => op.silu(tape, x), [3, 5]],
  'softmax of all': [(tape, [x]) => op.softmax(tape, x, () => true), [2, 5]],
  'softmax of the past': [(tape, [x]) => op.softmax(tape, x, (row, column) => column <= row), [4, 4]],
  rope: [(tape, [x]) => op.rope(tape, x, [0, 7, 3], 100), [3, 6]],
  logProbabilities: [(tape, [x]) => op.logProbabilities(tape, x, [4, 0, 4]), [3, 5]],
}

for (const [name, [operation, ...shapes]] of Object.entries(operations)) {
  t.test(`the gradient of ${name} is its finite difference`, async t => {
    const values = shapes.map(([rows, columns], i) => normals(rows * columns, i + 1))
    const inputs = shapes.map((shape, i) => variable(shape, values[i]))
    const tape = new Tape()
    const output = operation(tape, inputs)
    const weights = normals(output.data.length, 9)
    tape.backward(output, weights)
    for (const [i, { gradient }] of inputs.entries()) {
      const moved = (x: readonly number[]): ArrayLike<number> => {
        const given = shapes.map((shape, j) => constant(shape, j === i ? Float64Array.from(x) : values[j]))
        return operation(new Tape(), given).data
      }
      const error = relativeError(gradient ?? [], finiteDifferences(moved, values[i], weights))
      t.ok(error < 1e-8, `input ${i}: ${error}`)
    }
  })
}

t.test('a second backward gives the derivative of its own seed and adds it to the first', async t => {
  const x = variable([1, 2], Float64Array.of(2, 3))
  const tape = new Tape()
  const y = op.multiply(tape, op.scale(tape, x, 5), x)
  tape.backward(y, [1, 0])
  t.same([...(x.gradient ?? [])], [20, 0])
  tape.backward(y, [0, 1])
  t.same([...(x.gradient ?? [])], [20, 30])
})

t.test('operations on constants alone are not remembered', async t => {
  const tape = new Tape()
  const y = op.add(tape, constant([1, 1], Float64Array.of(1)), constant([1, 1], Float64Array.of(2)))
  t.equal(y.gradient, null)
  tape.backward(y, [1])
})

t.test('matrices of sizes that do not fit are refused', async t => {
  t.throws(() => constant([2, 2], new Float64Array(3)), { message: 'matrix (2, 2): needs 4 values, got 3' })
  const [a, b] = [constant([2, 3], new Float64Array(6)), constant([2, 3], new Float64Array(6))]
  t.throws(() => op.matmul(new Tape(), a, b, 'nn'), { message: 'matmul: sizes 3 and 2 must be equal' })
})

t.test('erf agrees with its known values', async t => {
  // Abramowitz and Stegun, table 7.1, and DLMF 7.23 for the tail.
  const known = [
    [0, 0],
    [0.02, 0.0225645747],
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [2, 0.995322265],
    [-1, -0.8427007929],
  ]
  for (const [x, y] of known) t.ok(Math.abs(op.erf(x) - y) < 1e-10, `erf(${x})`)
  t.ok(Math.abs(1 - op.erf(5) - 1.5374597944280349e-12) < 2e-15, 'the tail at 5')
  t.equal(op.erf(7), 1)
})

t.test('a softmax gives nothing to what a row cannot see', async t => {
  const x = constant([2, 2], Float64Array.of(1, 1000, 0, Math.log(3)))
  const { data } = op.softmax(new Tape(), x, (row, column) => column <= row)
  t.ok(relativeError(data, [1, 0, 0.25, 0.75]) < 1e-15)
})

t.test('a rotation keeps lengths and turns by the position', async t => {
  const x = constant([2, 2], Float64Array.of(1, 0, 1, 0))
  const { data } = op.rope(new Tape(), x, [0, 2], 1e4)
  t.ok(relativeError(data, [1, 0, Math.cos(2), Math.sin(2)]) < 1e-15)
})

function normals(count: number, seed: number): Float64Array {
  const random = randomOf(seed)
  return Float64Array.from({ length: count }, () => random.normal())
}

import t from 'tap'
import {
  activation,
  activationBackward,
  add,
  addTable,
  siluMultiply,
  siluMultiplyBackward,
} from '../../../kernels/elementwise/activations.ts'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import {
  type ActivationName,
  activations,
  errorFunction,
} from '../../../kernels/wgsl/activation-functions.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

const names = Object.keys(activations) as ActivationName[] // the keys of the table are exactly these
// One element, odd, packed, more than a workgroup of one subgroup (512) and of a GPU (1024), of whole packs and not.
const sizes = [1, 5, 8, 516, 1028, 1031]

t.test('the error function has its known values', async t => {
  t.match(errorFunction(0.5).toFixed(12), '0.520499877813')
  t.match(errorFunction(-2).toFixed(12), '-0.995322265019')
  t.equal(errorFunction(7), 1)
})

await onEachFamily(t, async (device, t) => {
  for (const name of names) {
    const { reference } = activations[name]
    await t.test(`${name} and its derivative are those of the reference`, async t => {
      for (const size of sizes) {
        const values = noise(size, size, 12)
        const outer = noise(size, 3)
        const before = noise(size, 4)
        const [x, dy] = [given(device, [size], values), given(device, [size], outer)]
        const [y, written] = [device.tensor('y', [size]), given(device, [size], before)]
        const added = given(device, [size], before)
        await runOnce(device, recording => {
          activation(recording, name, x, y)
          activationBackward(recording, name, { x, dy, dx: written, accumulate: false })
          activationBackward(recording, name, { x, dy, dx: added, accumulate: true })
        })
        near(t, await device.read(y), Array.from(values, reference), 3e-7, `${size} elements:`)
        const slopes = slopesOf(reference, values, outer)
        near(t, await device.read(written), slopes, 2e-6, `derivative of ${size} elements:`)
        const sums = slopes.map((slope, i) => slope + before[i])
        close(t, await device.read(added), sums, 2e-6, `derivative of ${size} elements, added:`)
      }
    })

    await t.test(`${name} of large numbers is the number or 0`, async t => {
      const extreme = new Float32Array([-1e4, -100, -0, 0, 1e-6, 100, 1e4])
      const y = device.tensor('y', [7])
      await runOnce(device, recording => activation(recording, name, given(device, [7], extreme), y))
      const limits = Array.from(extreme, v => (Math.abs(v) >= 100 ? Math.max(v, 0) : reference(v)))
      const values = await device.read(y)
      t.ok(limits.every((limit, i) => Math.abs(values[i] - limit) <= 1e-6 * Math.abs(limit) + 1e-30))
    })
  }

  await t.test('silu(gate) · up, its gradients, and sums of tensors are those of the references', async t => {
    for (const size of sizes) {
      const [gate, up, dy] = [noise(size, 1, 8), noise(size, 2), noise(size, 3)]
      const [gates, ups] = [given(device, [size], gate), given(device, [size], up)]
      const [y, dGate, dUp] = ['y', 'dGate', 'dUp'].map(label => device.tensor(label, [size]))
      const into = given(device, [size], dy)
      await runOnce(device, recording => {
        siluMultiply(recording, gates, ups, y)
        siluMultiplyBackward(recording, { gate: gates, up: ups, dy: given(device, [size], dy), dGate, dUp })
        add(recording, ups, into)
      })
      const { reference } = activations.silu
      const product = (g: number, u: number): number => reference(g) * u
      const slope = (f: (v: number) => number, at: number, i: number): number =>
        finiteDifferences(([v]) => [f(v)], [at], [dy[i]])[0]
      close(
        t,
        await device.read(y),
        Array.from(gate, (g, i) => product(g, up[i])),
        5e-7,
        `silu · up of ${size}`,
      )
      const gateSlopes = Array.from(gate, (g, i) => slope(v => product(v, up[i]), g, i))
      near(t, await device.read(dGate), gateSlopes, 2e-6, `slope at the gate of ${size}`)
      const upSlopes = Array.from(gate, (g, i) => slope(v => product(g, v), up[i], i))
      near(t, await device.read(dUp), upSlopes, 2e-6, `slope at up of ${size}`)
      close(
        t,
        await device.read(into),
        Array.from(dy, (v, i) => v + up[i]),
        1e-7,
        `sum of ${size}`,
      )
    }
  })

  await t.test('a table is added to the rows again and again', async t => {
    for (const [rows, period, columns] of [
      [1, 1, 1],
      [7, 3, 5],
      [6, 3, 8],
      [40, 8, 36],
    ]) {
      const [x, table] = [noise(rows * columns, 1), noise(period * columns, 2)]
      const moved = given(device, [rows, columns], x)
      await runOnce(device, recording =>
        addTable(recording, { x: moved, table: given(device, [period, columns], table) }),
      )
      const wanted = x.map((v, i) => v + table[(Math.floor(i / columns) % period) * columns + (i % columns)])
      close(t, await device.read(moved), wanted, 1e-7, `table of ${period} on ${rows} rows`)
    }
  })

  t.throws(
    () => add(new Recording(device), device.tensor('short', [3]), device.tensor('long', [4])),
    { message: 'add: all tensors must have one size, got short (3), long (4)' },
    'tensors of different sizes are refused',
  )
})

/** The slope of a function at each value, times what comes from outside. */
function slopesOf(
  reference: (v: number) => number,
  values: ArrayLike<number>,
  outer: ArrayLike<number>,
): number[] {
  return Array.from(values, (v, i) => finiteDifferences(([u]) => [reference(u)], [v], [outer[i]])[0])
}

// The error is relative to 1 at least: far left of 0 an activation is nothing but rounding.
function near(
  test: Pick<typeof t, 'ok'>,
  found: ArrayLike<number>,
  wanted: readonly number[],
  bound: number,
  what: string,
): void {
  close(test, [...Array.from(found), 1], [...wanted, 1], bound, what)
}

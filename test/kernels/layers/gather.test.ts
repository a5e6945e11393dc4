import t from 'tap'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import { addRows, gatherInto, type RowPair } from '../../../kernels/layers/gather.ts'
import { rmsNorm } from '../../../kernels/layers/norm.ts'
import { Pass } from '../../../kernels/layers/pass.ts'
import { allocateParameters, parameter } from '../../../kernels/networks/parameters.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { rmsNormReference } from '../../../kernels/rows/rms-norm.ts'
import { close, noise, onEachFamily } from '../support.ts'

/** y[to] += weight · from[from], with plain loops. */
const added = (
  y: number[],
  from: ArrayLike<number>,
  pairs: readonly RowPair[],
  columns: number,
): number[] => {
  for (const { to, from: row, weight = 1 } of pairs)
    for (let c = 0; c < columns; c++) y[to * columns + c] += weight * from[row * columns + c]
  return y
}

await onEachFamily(t, async (device, t) => {
  await t.test('rows are added to some rows of a tensor, and all get their gradients', async t => {
    const columns = 4
    // The rows of the second tensor lie after rows that are not added.
    const pairs = [
      [
        { to: 1, from: 0 },
        { to: 2, from: 1 },
      ],
      [{ to: 4, from: 2 }],
    ]
    const shapes = new Map([
      ['x', [5, columns]],
      ['a', [2, columns]],
      ['b', [3, columns]],
      ['gain', [columns]],
    ])
    const weights = allocateParameters(device, shapes, () => true)
    const values = new Map([...shapes].map(([name, [a, b = 1]], i) => [name, noise(a * b, i + 1)]))
    for (const [name, data] of values) device.write(parameter(weights, name).value, data)
    const recording = new Recording(device)
    const pass = new Pass(recording, true)
    const at = (name: string) => parameter(weights, name)
    // Each goes through a norm, so that it is a tensor of the pass.
    const [x, a, b] = ['x', 'a', 'b'].map(name => {
      const tensor = pass.output(name, at(name).shape, [], [at(name)])
      const rows = Array.from({ length: at(name).shape[0] }, (_, row) => ({ to: row, from: row }))
      gatherInto(pass, at(name), tensor, rows)
      return rmsNorm(pass, tensor, at('gain'), 1e-6)
    })
    const y = addRows(pass, x, [a, b], pairs)
    recording.pinned.add(y)
    recording.segment('backward')
    const slopes = recording.pin('slopes', y.shape)
    pass.coefficients(y, slopes)
    pass.backward()
    const compiled = await compile(device, recording, 'add rows')
    compiled.run(['main'])
    const given = (name: string) => Array.from(values.get(name) ?? [])
    const reference = (changed: string, to: ArrayLike<number>) => {
      const [x, a, b] = ['x', 'a', 'b'].map(name =>
        rmsNormReference(name === changed ? to : given(name), changed === 'gain' ? to : given('gain'), 1e-6),
      )
      return added(added([...x], a, pairs[0], columns), b, pairs[1], columns)
    }
    close(t, await compiled.read(y), reference('x', given('x')), 1e-6)
    const outer = noise(20, 9)
    compiled.write(slopes, outer)
    compiled.run(['backward'])
    for (const name of shapes.keys()) {
      const { gradient } = at(name)
      if (!gradient) throw new Error(name)
      const wanted = finiteDifferences(to => reference(name, to), Float32Array.from(given(name)), outer)
      close(t, await device.read(gradient), wanted, 1e-5, name)
    }
    compiled.free()
    weights.free()
  })

  await t.test('weighted rows of a table are summed, and it gets their gradients', async t => {
    const columns = 3
    const pairs = [
      { to: 0, from: 1, weight: 0.25 },
      { to: 0, from: 0, weight: 0.75 },
      { to: 1, from: 3, weight: 1 },
      { to: 1, from: 3, weight: 0.5 },
    ]
    const weights = allocateParameters(device, new Map([['table', [4, columns]]]), () => true)
    const table = parameter(weights, 'table')
    const values = noise(4 * columns, 2)
    device.write(table.value, values)
    const recording = new Recording(device)
    const pass = new Pass(recording, true)
    const y = pass.output('sums', [2, columns], [], [table])
    gatherInto(pass, table, y, pairs)
    recording.pinned.add(y)
    recording.segment('backward')
    const slopes = recording.pin('slopes', y.shape)
    pass.coefficients(y, slopes)
    pass.backward()
    const compiled = await compile(device, recording, 'weighted rows')
    const reference = (from: ArrayLike<number>) => added(new Array(6).fill(0), from, pairs, columns)
    compiled.run(['main'])
    close(t, await compiled.read(y), reference(values), 1e-6)
    const outer = noise(6, 3)
    compiled.write(slopes, outer)
    compiled.run(['backward'])
    const { gradient } = table
    if (!gradient) throw new Error('the table is trained')
    close(t, await device.read(gradient), finiteDifferences(reference, values, outer), 1e-6)
    compiled.free()
    weights.free()
  })
})

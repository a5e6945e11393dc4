import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { adjoined } from '../../../kernels/layers/adjoined.ts'
import { linear } from '../../../kernels/layers/linear.ts'
import { Pass } from '../../../kernels/layers/pass.ts'
import { allocateParameters, parameter } from '../../../kernels/networks/parameters.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { close, noise } from '../support.ts'

const device = await openDevice()
t.teardown(() => device.close())

// 256 bytes or a multiple, so that nothing lies between neighbours.
const shapes = new Map([
  ['first.weight', [8, 16]],
  ['second.weight', [16, 16]],
  ['first.bias', [64]],
  ['second.bias', [64]],
  ['narrow', [3, 16]],
  ['after', [8, 16]],
])

await t.test('one product over two joined weights computes the columns of both', async t => {
  const set = allocateParameters(device, shapes, () => false)
  t.teardown(() => set.free())
  const [first, second] = [parameter(set, 'first.weight'), parameter(set, 'second.weight')]
  for (const { value } of [first, second]) device.write(value, noise(value.shape[0] * 16, value.shape[0]))
  const both = adjoined([first, second])
  if (!both) throw new Error('the two must follow each other in memory')
  t.same(both.shape, [24, 16])
  const recording = new Recording(device)
  const x = device.tensor('x', [5, 16], 'f32', noise(80, 3))
  const found = [both, first, second].map(weight => {
    const y = linear(new Pass(recording, false), x, weight)
    recording.pinned.add(y)
    return y
  })
  const compiled = await compile(device, recording, 'test')
  compiled.run()
  const [joint, left, right] = await Promise.all(found.map(y => compiled.read(y)))
  const wanted = Array.from({ length: 5 }, (_, row) => [
    ...left.subarray(row * 8, row * 8 + 8),
    ...right.subarray(row * 16, row * 16 + 16),
  ])
  close(t, joint, wanted.flat(), 0, 'joint')
  compiled.free()
  device.freeTensor(x)
})

await t.test('parameters with a gap between them, or with a gradient or an adapter, are not joined', t => {
  const set = allocateParameters(device, shapes, name => name.endsWith('.bias'))
  t.teardown(() => set.free())
  const of = (...names: string[]) => adjoined(names.map(name => parameter(set, name)))
  t.ok(of('first.weight', 'second.weight'))
  t.notOk(of('second.weight', 'first.weight'), 'in another order')
  t.notOk(of('first.weight', 'narrow'), 'with another between them')
  t.notOk(of('narrow', 'after'), 'with a gap, since each begins at a multiple of 256 bytes')
  t.notOk(of('first.bias', 'second.bias'), 'trained')
  const [first, second] = [parameter(set, 'first.weight'), parameter(set, 'second.weight')]
  t.notOk(adjoined([first, { ...second, adapter: { down: first, up: first, scale: 1 } }]), 'adapted')
  t.end()
})

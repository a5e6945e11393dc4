import t from 'tap'
import { linear } from '../../../kernels/layers/linear.ts'
import { type Parameter, Pass } from '../../../kernels/layers/pass.ts'
import { type Precision, Recording } from '../../../kernels/plan/recording.ts'

const target = { family: 'gpu', units: 'emulated', subgroupSize: 32 } as const

/** The kernels of the backward of a linear layer with a trained weight, on x that wants a gradient. */
function backwardOf(rows: number, precision: Precision): string[] {
  const recording = new Recording(target, precision)
  const pass = new Pass(recording, true)
  const parameter = (name: string, shape: number[]): Parameter => {
    const value = recording.tensor(name, shape)
    return { name, shape, value, gradient: recording.tensor(`d ${name}`, shape) }
  }
  const x = pass.output('x', [rows, 32], [], [parameter('before', [1])], recording.factorType)
  const y = linear(pass, x, parameter('weight', [48, 32]))
  recording.segment('backward')
  pass.coefficients(y, recording.tensor('dy', [rows, 48]))
  pass.backward()
  const backward = recording.segments.find(({ name }) => name === 'backward')?.commands ?? []
  return backward.flatMap(command => ('dispatch' in command ? [command.dispatch.kernel.name] : []))
}

await t.test('a gradient of many rows is rounded once for both products that read it', async t => {
  const [copy, weight, x, ...more] = backwardOf(70, 'float16')
  t.equal(copy, 'copy_f32_f16')
  t.match(weight, /^matmul_units_tn_f16x4_f16x4_/)
  t.match(x, /^matmul_units_nn_f16x4_f16x4_/)
  t.same(more, [])
})

await t.test('a gradient of few rows is read as it is', async t => {
  const names = backwardOf(20, 'float16')
  t.equal(names.length, 2)
  for (const name of names) t.match(name, /^matmul_units_(tn|nn)_f32x4_/)
})

await t.test('products of float32 read gradients of float32', async t => {
  const names = backwardOf(70, 'float32')
  t.equal(names.length, 2)
  for (const name of names) t.match(name, /^matmul_tile_(tn|nn)_f32x4_f32x4/)
})

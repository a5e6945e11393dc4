import t from 'tap'
import { kernel } from '../../../kernels/device/kernel.ts'
import { matmul } from '../../../kernels/matmul/matmul.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { unitsTarget } from '../null-device.ts'

const definition = () => ({
  name: 'twice',
  params: { count: 'u32' as const },
  buffers: { x: { element: 'f32', access: 'write' as const } },
  code: `fn main() { x[0] *= ${1 + 1}; }`,
})

t.test('a definition written again is the kernel that there is', async t => {
  t.equal(kernel(definition()), kernel(definition()))
})

t.test('a key defines its kernel once, and shares it with equal definitions', async t => {
  let calls = 0
  const keyed = (...key: (string | number)[]) =>
    kernel(key, () => {
      calls++
      return definition()
    })
  t.equal(keyed('twice', 1), keyed('twice', 1))
  t.equal(calls, 1, 'the second call asks nobody')
  t.equal(keyed('twice', 2), kernel(definition()), 'another key with an equal definition')
  t.equal(calls, 2)
})

t.test('a definition that differs anywhere is another kernel', async t => {
  const others = [
    { ...definition(), name: 'double' },
    { ...definition(), params: { rows: 'u32' as const } },
    { ...definition(), params: { count: 'i32' as const } },
    { ...definition(), buffers: { x: { element: 'vec4f', access: 'write' as const } } },
    { ...definition(), buffers: { y: { element: 'f32', access: 'write' as const } } },
    { ...definition(), enables: 'enable f16;' },
    { ...definition(), code: 'fn main() { x[0] *= 3; }' },
  ].map(other => kernel<string, string>(other))
  t.equal(new Set([kernel<string, string>(definition()), ...others]).size, 1 + others.length)
})

for (const target of [
  { family: 'cpu', units: 'none', subgroupSize: 8 } as const,
  { family: 'gpu', units: 'none', subgroupSize: 32 } as const,
  unitsTarget,
])
  t.test(`products of every size keep few kernels: ${target.family}, units ${target.units}`, async t => {
    const recording = new Recording(target, 'float16')
    const weight = recording.tensor('weight', [64, 64])
    for (let size = 1; size <= 130; size++) {
      const [data, out] = [recording.tensor('data', [size, 64]), recording.tensor('out', [size, 64])]
      matmul(recording, { form: 'nt', rows: size, columns: 64, inner: 64, a: data, b: weight, out })
      matmul(recording, { form: 'tn', rows: 64, columns: 64, inner: size, a: data, b: out, out: weight })
    }
    const kernels = new Set(
      recording.segments.flatMap(({ commands }) =>
        commands.map(c => ('dispatch' in c ? c.dispatch.kernel : undefined)),
      ),
    )
    t.ok(kernels.size < 10, `${kernels.size} kernels for 260 sizes`)
  })

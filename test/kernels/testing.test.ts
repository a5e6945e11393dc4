import t from 'tap'
import { kernel, targetKey } from '../../kernels/device/kernel.ts'
import { sizeOf, type Tensor } from '../../kernels/device/tensor.ts'
import type { Recording } from '../../kernels/plan/recording.ts'
import { kernelFaultsOf } from '../../kernels/testing.ts'
import type { KernelTrial } from '../../kernels/trial.ts'
import { spread } from '../../kernels/wgsl/packs.ts'

/** Doubles each element; `body` is what happens to element i. */
function double(recording: Recording, x: Tensor, y: Tensor, name: string, body: string): void {
  const { width } = spread(recording.target)
  const count = sizeOf(x.shape)
  const define = () => ({
    name,
    params: { count: 'u32' as const },
    buffers: {
      x: { element: 'f32' as const, access: 'write' as const },
      y: { element: 'f32' as const, access: 'write' as const },
    },
    code: `
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = workgroup_index(id) * ${width}u + lane;
  if (i < params.count) { ${body} }
}`,
  })
  recording.dispatch(kernel([name, targetKey(recording.target)], define), {
    params: { count },
    buffers: { x, y },
    grid: Math.ceil(count / width),
  })
}

const trial = (name: string, body: string, more: (recording: Recording) => void = () => {}): KernelTrial => ({
  given: { x: Float32Array.of(1, 2, 3) },
  wanted: { y: [2, 4, 6] },
  record: (recording, { x, y }) => {
    if (!x || !y) throw new Error('the trial has both tensors')
    double(recording, x, y, name, body)
    more(recording)
  },
})

t.test('a kernel that writes what its reference says has no fault', async t => {
  t.same(await kernelFaultsOf([trial('test-double', 'y[i] = 2.0 * x[i];')]), [])
})

for (const [name, body, fault] of [
  ['test-triple', 'y[i] = 3.0 * x[i];', /y\[0\]: must be 2 within 0.00001, found 3/],
  ['test-forgets', 'if (i < 2u) { y[i] = 2.0 * x[i]; }', /y\[2\]: must be 6 within 0.00001, found NaN/],
  ['test-spoils', 'y[i] = 2.0 * x[i]; x[i] = 0.0;', /x: must only be read, found it changed/],
  [
    'test-adds',
    'if (y[i] > 0.5) { y[i] += 1.0; } else { y[i] = 2.0 * x[i]; }',
    /a second run must write the same/,
  ],
] as const) {
  t.test(`${name}: the fault is told for both families`, async t => {
    const faults = await kernelFaultsOf([trial(name, body)])
    t.equal(faults.filter(text => fault.test(text)).length, 2, faults.join('\n'))
  })
}

t.test('tensors of a trial are lists of numbers, or have a shape', async t => {
  const shapes: (readonly number[] | undefined)[] = []
  const { record } = trial('test-double', 'y[i] = 2.0 * x[i];')
  const faults = await kernelFaultsOf([
    {
      given: { x: { shape: [1, 3], values: [1, 2, 3] } },
      wanted: { y: [2, 4, 6] },
      record: (recording, tensors) => {
        shapes.push(tensors.x?.shape, tensors.y?.shape)
        record(recording, tensors)
      },
    },
  ])
  t.same(faults, [])
  t.same(shapes, [[1, 3], [3], [1, 3], [3]], 'of both families')
})

for (const [stated, fault] of [
  [
    { rows: [1, 2] },
    /^trial 1: given\.x: must be a list of numbers or \{ shape, values \}, found an object with rows$/,
  ],
  [[[1, 2]], /^trial 1: given\.x: must be numbers, found an object with 0, 1 at 0$/],
  [
    { shape: [2, 2], values: [1, 2] },
    /^trial 1: given\.x: must have a shape of 2 numbers, .* found \[2,2\]$/,
  ],
  [7, /^trial 1: given\.x: must be a list of numbers or .* found 7$/],
] as const) {
  t.test(`a trial that is given ${JSON.stringify(stated)} is told so`, async t => {
    const wrong = { ...trial('test-double', 'y[i] = 2.0 * x[i];'), given: { x: stated as never } }
    await t.rejects(kernelFaultsOf([wrong]), { name: 'TypeError', message: fault })
  })
}

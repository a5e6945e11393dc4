// What `flow/kernels` has for kernels of plugins, used as kernels/README.md says.
import t from 'tap'
import { group, kernel, pointwise, targetKey } from '../../kernels/index.ts'
import { kernelFaultsOf } from '../../kernels/testing.ts'

t.test('one expression for each element needs no WGSL around it', async t => {
  const faults = await kernelFaultsOf([
    {
      given: { x: [1, 2, 3] },
      wanted: { y: [1, 4, 9] },
      record: (recording, { x, y }) => {
        if (!x || !y) throw new Error('the trial has both tensors')
        pointwise(recording, {
          name: 'test-square',
          reads: { x },
          writes: { y },
          body: 'y[i] = x[i] * x[i];',
        })
      },
    },
  ])
  t.same(faults, [])
})

t.test('a workgroup shares a sum', async t => {
  const rows = [Array.from({ length: 300 }, (_, i) => i), Array.from({ length: 300 }, () => 0.5)]
  const faults = await kernelFaultsOf([
    {
      given: { x: { shape: [2, 300], values: rows.flat() } },
      wanted: { y: rows.map(row => row.reduce((sum, value) => sum + value, 0)) },
      record: (recording, { x, y }) => {
        if (!x || !y) throw new Error('the trial has both tensors')
        const [count = 0, columns = 0] = x.shape
        const define = () => {
          const { width, enables, functions } = group(recording.target)
          return {
            name: 'test-row-sum',
            enables,
            params: { columns: 'u32' as const },
            buffers: {
              x: { element: 'f32' as const, access: 'read' as const },
              y: { element: 'f32' as const, access: 'write' as const },
            },
            code: `${functions}
@compute @workgroup_size(${width})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = workgroup_index(id);
  var sum = 0.0;
  for (var i = lane; i < params.columns; i += ${width}u) { sum += x[row * params.columns + i]; }
  let all = group_sum(sum, lane);
  if (lane == 0u && row < arrayLength(&y)) { y[row] = all; }
}`,
          }
        }
        const call = { params: { columns }, buffers: { x, y }, grid: count }
        recording.dispatch(kernel(['test-row-sum', targetKey(recording.target)], define), call)
      },
    },
  ])
  t.same(faults, [])
})

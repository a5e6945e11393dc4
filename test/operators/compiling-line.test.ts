import t from 'tap'
import { openDevice } from '../../kernels/device/device.ts'
import { kernel } from '../../kernels/device/kernel.ts'
import { compile } from '../../kernels/plan/compile.ts'
import { Recording } from '../../kernels/plan/recording.ts'
import { compilingLine } from '../../operators/compiling-line.ts'

t.test(
  'kernels that compile for some seconds are told with how many are done, and again from time to time',
  async t => {
    const kernels = { asked: 0, pending: 0 }
    const said: string[] = []
    let seconds = 0
    const look = compilingLine(
      kernels,
      line => said.push(`${seconds} s: ${line}`),
      () => seconds * 1000,
    )
    /** Looks once a second until this time. */
    const until = (end: number, state: typeof kernels) => {
      Object.assign(kernels, state)
      for (; seconds < end; seconds++) look()
    }
    until(3, { asked: 10, pending: 10 })
    until(10, { asked: 10, pending: 0 })
    t.same(said, [], 'of a short time nothing is said')
    until(20, { asked: 40, pending: 30 })
    until(30, { asked: 90, pending: 20 })
    until(60, { asked: 90, pending: 0 })
    t.same(said, ['15 s: compiling kernels (10 of 40)', '25 s: compiling kernels (70 of 90)'])
    until(66, { asked: 91, pending: 1 })
    t.equal(said.at(-1), '65 s: compiling kernels (90 of 91)', 'the seconds are counted anew')
  },
)

t.test('a kernel is pending until it is compiled and its first work has ended', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const { pipelines } = device
  const run = async (code: string) => {
    const y = device.tensor('y', [4])
    const recording = new Recording(device)
    const one = kernel<never, 'y'>({
      name: 'one',
      params: {},
      buffers: { y: { element: 'f32', access: 'write' } },
      code: `@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) lane: u32) { ${code} }`,
    })
    recording.dispatch(one, { params: {}, buffers: { y }, grid: 1 })
    const compiling = compile(device, recording, 'test')
    const during = pipelines.pending
    const compiled = await compiling
    const before = pipelines.pending
    compiled.run()
    const submitted = pipelines.pending
    await device.finish()
    compiled.run()
    const again = pipelines.pending
    await device.finish()
    compiled.free()
    device.freeTensor(y)
    return { during, before, submitted, again, after: pipelines.pending }
  }
  t.same(await run('y[lane] = 1.0;'), { during: 1, before: 0, submitted: 1, again: 0, after: 0 })
  t.equal(pipelines.asked, 1)
  await t.rejects(run('y[lane] = nothing;'))
  t.equal(pipelines.pending, 0, 'one that is wrong is not waited for')
})

// What the author of a kernel is told when it is wrong: which kernel, where, the text of the line, and what the compiler says.
import t from 'tap'
import { type Device, openDevice } from '../../../kernels/device/device.ts'
import { callerIn, type Kernel, kernel } from '../../../kernels/device/kernel.ts'
import { kernelFault } from '../../../kernels/device/kernel-fault.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { type Call, Recording } from '../../../kernels/plan/recording.ts'

const halved = (body: string, more: Partial<Kernel> = {}): Kernel =>
  kernel<string, string>({
    name: 'halved',
    params: { count: 'u32' },
    buffers: { x: { element: 'f32', access: 'read' }, y: { element: 'f32', access: 'write' } },
    code: `
@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) lane: u32) {
${body}
}`,
    ...more,
  })

/** What compiling and running a kernel throws, and the bytes that it leaves. */
async function thrown(device: Device, of: Kernel, call: Partial<Call<string, string>> = {}) {
  const [x, y] = [device.tensor('x', [4]), device.tensor('y', [4])]
  const before = device.liveBytes
  try {
    const recording = new Recording(device)
    recording.dispatch(of, { params: { count: 4 }, buffers: { x, y }, grid: 1, ...call })
    const compiled = await compile(device, recording, 'test')
    compiled.run()
    compiled.free()
    await device.finish()
    return { message: 'nothing', left: 0 }
  } catch (error) {
    const { message: said, code, ofMachine } = error as Error & { code?: string; ofMachine?: boolean }
    // the file and the line that declare the kernel
    const message = said
      .replace(/ \(\S+\/kernel-fault\.test\.[jt]s:\d+\)/, ' (HERE)')
      .replace(/ \S+\/kernel-fault\.test\.[jt]s:\d+:\d+:/, ' HERE:')
    return { message, code, ofMachine, left: device.liveBytes - before }
  } finally {
    for (const tensor of [x, y]) device.freeTensor(tensor)
  }
}

t.test('a mistake in the WGSL', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  for (const [what, of, ...wanted] of [
    [
      'a missing bracket',
      halved('  y[lane] = 0.5 * x[lane;'),
      'kernel "halved", HERE:\n    y[lane] = 0.5 * x[lane;\n                          ^\n  expected',
    ],
    [
      'another type',
      halved('  let i = lane;\n\ty[i] = i;'),
      'kernel "halved" (HERE), line 5, column 7 of its code:\n  \ty[i] = i;\n  \t     ^\n  cannot assign',
    ],
    ['an unknown name', halved('  y[lane] = gain;'), 'HERE:\n', "unresolved value 'gain'"],
    ['a read buffer that is written', halved('  x[lane] = 1;'), 'HERE:\n', 'x[lane] = 1;', 'read-only'],
    [
      'an element type that is none',
      halved('', { buffers: { y: { element: 'f33', access: 'write' } } }),
      'line 7, column',
      'of what flow writes before its code from "enables", "params" and "buffers"',
      'array<f33>',
    ],
    [
      'no main',
      halved('', { code: '@compute @workgroup_size(1)\nfn other() {}' }),
      'kernel "halved" (HERE): this GPU cannot compile it: Entry point "main" doesn\'t exist',
    ],
    [
      'a workgroup that is too large',
      halved('', { code: '@compute @workgroup_size(99999)\nfn main() {}' }),
      'kernel "halved" (HERE): this GPU cannot compile it: Entry-point uses workgroup_size(99999',
    ],
  ] as const) {
    const call = what === 'an element type that is none' ? { buffers: { y: device.tensor('z', [4]) } } : {}
    const { message, code, ofMachine, left } = await thrown(device, of, call)
    for (const part of wanted) t.ok(message.includes(part), `${what}: ${message}`)
    t.same(
      [code, ofMachine, left],
      ['bad-kernel', true, 0],
      `${what}: no item is skipped for it, all is freed`,
    )
    await t.resolves(device.finish(), `${what}: nobody else is told`)
  }
})

t.test('a kernel that is called wrongly', async t => {
  const device = await openDevice()
  t.teardown(() => device.close())
  const [x, y] = [device.tensor('x', [4]), device.tensor('y', [4])]
  const right = halved('  y[lane] = 0.5 * x[lane];')
  for (const [call, wanted] of [
    [{ buffers: { x } }, 'kernel "halved": buffers.y must be a tensor; the call has x'],
    [{ params: {} }, 'kernel "halved": params.count must be a number, found undefined'],
    [{ grid: 0.5 }, 'kernel "halved": grid must be a number of workgroups, or three of them, found 0.5'],
    [{ grid: [70000, 1, 1] }, 'kernel "halved": grid must have at most 65535 workgroups in each dimension'],
    [{ buffers: { x, y: { ...y, shape: [1000] } } }, 'kernel "halved": Binding size (4000) is larger than'],
  ] as const) {
    const { message } = await thrown(device, right, call)
    t.ok(message.includes(wanted), message)
  }
  t.equal((await thrown(device, right)).message, 'nothing', 'the next kernel works')
})

t.test('a long line is cut around the place, and few of many errors are shown', async t => {
  const code = `${'a'.repeat(300)}!${'b'.repeat(300)}`
  const message = { type: 'error', message: 'no such thing', lineNum: 3, linePos: 301 } as const
  const fault = kernelFault({ name: 'long', declarations: 'one\ntwo\n', code }, Array(5).fill(message), '')
  const [, line, mark] = fault.message.split('\n')
  t.equal(line?.[mark?.indexOf('^') ?? 0], '!')
  t.ok((line?.length ?? 999) < 120)
  t.match(fault.message, /^kernel "long", line 1, column 301 of its code/)
  t.match(fault.message, /and 2 more errors$/)
})

t.test('the place of a kernel is the first in the stack that is not where kernels are declared', t => {
  const stack = `Error
    at declared (file:///flow/dist/kernels/device/kernel.js:60:17)
    at kernel (file:///flow/dist/kernels/device/kernel.js:20:9)
    at define (file:///my%20home/double.mjs?time=3:31:10)
    at run (/other/run.mjs:1:1)`
  t.equal(callerIn(stack), '/my home/double.mjs:31')
  t.equal(callerIn('Error\n    at /home/me/one.ts:7:3'), '/home/me/one.ts:7')
  t.equal(callerIn(''), undefined)
  t.end()
})

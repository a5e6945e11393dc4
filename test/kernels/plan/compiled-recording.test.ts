import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { add } from '../../../kernels/elementwise/activations.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'

const device = await openDevice()
t.teardown(() => device.close())

/** Adds two tensors to each other in turn: their numbers depend on the order of all commands. */
async function fibonacci(commands: number) {
  const recording = new Recording(device)
  const pair = ['a', 'b'].map(label => recording.pin(label, [4]))
  const [a, b] = pair
  const one = recording.constant('one', [4], new Float32Array(4).fill(1))
  for (const tensor of pair) recording.fill(tensor)
  add(recording, one, a)
  recording.segment('turns')
  for (let i = 0; i < commands; i++) {
    if (i % 24 === 23) for (const tensor of pair) recording.fill(tensor)
    if (i % 24 === 23) add(recording, one, a)
    else add(recording, i % 2 ? b : a, i % 2 ? a : b)
  }
  const compiled = await compile(device, recording, 'test')
  let submits = 0
  const { queue } = device.gpu
  const submit = queue.submit
  queue.submit = buffers => {
    submits++
    return submit.call(queue, buffers)
  }
  compiled.run()
  queue.submit = submit
  const found = [(await compiled.read(a))[0], (await compiled.read(b))[0]]
  compiled.free()
  return { found, submits }
}

function wanted(commands: number): number[] {
  let [a, b] = [1, 0]
  for (let i = 0; i < commands; i++) {
    if (i % 24 === 23) [a, b] = [1, 0]
    else if (i % 2) a += b
    else b += a
  }
  return [a, b]
}

await t.test('a short recording is one submit', async t => {
  t.same(await fibonacci(100), { found: wanted(100), submits: 1 })
})

await t.test('a long recording is submitted in parts, in order', async t => {
  const { found, submits } = await fibonacci(700)
  t.same(found, wanted(700))
  t.equal(submits, 5, 'parts of 48, 96, 192, 384 and what is left')
})

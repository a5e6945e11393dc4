// What taps may read of the GPU.
import t from 'tap'
import { sharedDevice } from '../../operators/device.ts'
import { plainContext } from './context.ts'

t.setTimeout(800_000)

t.test('taps read tensors that are alive, and nothing else', async t => {
  let read: (value: unknown) => Promise<ArrayLike<number>> | undefined = () => undefined
  const device = await sharedDevice({
    ...plainContext,
    shared: async (_key, open) => open(),
    inspect: reader => {
      read = reader
    },
  })
  t.teardown(() => device.close())
  const numbers = device.tensor('numbers', [2, 2], 'f32', new Float32Array([1, -2, 3, 0.5]))
  const whole = device.tensor('whole', [2], 'i32', new Int32Array([-7, 8]))
  const large = device.tensor('large', [1], 'u32', new Uint32Array([4_000_000_000]))
  t.same([...((await read(numbers)) as Float32Array)], [1, -2, 3, 0.5])
  t.same([...((await read(whole)) as Int32Array)], [-7, 8])
  t.same([...((await read(large)) as Uint32Array)], [4_000_000_000])
  t.equal(read({ shape: [2], type: 'f32' }), undefined, 'no tensor of the GPU')
  t.equal(read('text'), undefined)

  const borrowed = device.borrowTensor('borrowed', [4])
  t.ok(read(borrowed))
  for (const tensor of [numbers, borrowed]) device.freeTensor(tensor)
  t.equal(read(numbers), undefined, 'it is freed')
  t.equal(read(borrowed), undefined, 'it waits for its next borrower')
  await device.finish()
})

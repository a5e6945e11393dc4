import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'

const device = await openDevice()
t.teardown(() => device.close())

for (const [shape, found] of [
  [undefined, 'undefined'],
  [4, '4'],
  [[2, Number.NaN], '[2,null]'],
  [[1.5], '[1.5]'],
  [[-1], '[-1]'],
  [Uint32Array.of(2), 'a value of Uint32Array'],
] as const) {
  t.test(`a tensor whose shape is ${found} is refused by its label`, t => {
    const message = `x: must have a shape, a list of whole numbers such as [2, 3], found ${found}`
    t.throws(() => device.tensor('x', shape as never), { code: 'bad-shape', message })
    t.equal(device.liveBytes, 0)
    t.end()
  })
}

for (const [data, found] of [
  [[1, 2], 'a value of Array'],
  [Float64Array.of(1, 2), 'a value of Float64Array'],
  [{ 0: 1 }, 'a value of Object'],
  ['12', '12'],
] as const) {
  t.test(`${found} is refused as the values of a tensor, by its label`, t => {
    const tensor = device.tensor('x', [2])
    const message = `x: must be written from a typed array of 4 bytes an element, found ${found}`
    t.throws(() => device.write(tensor, data as never), { code: 'bad-write', message })
    device.freeTensor(tensor)
    t.end()
  })
}

import t from 'tap'
import { type Extent, resizeReference } from '../../../kernels/pixels/resize.ts'
import { firstExtent, frameResizer } from '../../../operators/video/frame-resizer.ts'
import { noise, onEachFamily } from '../../kernels/support.ts'

const processor = {
  size: 28,
  resize: true,
  rescaleFactor: 1 / 255,
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
} as const
const square = { width: 28, height: 28 }

const picture = ({ width, height }: Extent, seed: number): Uint8Array =>
  Uint8Array.from(noise(width * height * 3, seed, 1020), value => Math.min(255, Math.max(0, value + 128)))

t.test('the longer side is given, the shorter one follows from the shape and is even', async t => {
  const first = (width: number, height: number, longestEdge = 512) =>
    firstExtent({ width, height }, { size: 512, longestEdge, resize: true })
  t.same(first(1280, 720), { width: 512, height: 288 })
  t.same(first(720, 1280), { width: 288, height: 512 })
  t.same(first(640, 478), { width: 512, height: 382 })
  t.same(first(1000, 3), { width: 512, height: 2 })
  t.same(first(64, 64, 2048), { width: 2048, height: 2048 })
  t.equal(first(64, 64), undefined, 'a square of the right size is made in one step')
  t.equal(firstExtent({ width: 8, height: 4 }, { size: 8, resize: true }), undefined)
  t.equal(firstExtent({ width: 8, height: 4 }, { size: 8, longestEdge: 8, resize: false }), undefined)
})

t.test('frames in two steps are those of the reference twice, bit by bit', async t => {
  await onEachFamily(t, async (device, t) => {
    for (const [width, height, longestEdge] of [
      [64, 36, 28],
      [36, 65, 28],
      [37, 21, 50],
      [9, 13, 41],
      [30, 30, 17],
    ] as const) {
      const from = { width, height }
      const frame = picture(from, width)
      const first = firstExtent(from, { ...processor, longestEdge })
      t.ok(first)
      if (!first) return
      const wanted = resizeReference(resizeReference(frame, from, first), first, square)
      const resizer = await frameResizer(device, from, square, { ...processor, longestEdge })
      const into = device.tensor('frames', [1, 3, 28, 28])
      resizer.add(frame, into, 0)
      const found = await resizer.resized()
      t.ok(Buffer.compare(found, wanted) === 0, `${width} × ${height} over ${first.width} × ${first.height}`)
      const once = resizeReference(frame, from, square)
      t.notOk(Buffer.compare(once, wanted) === 0, 'one step gives other bytes')
      const red = (await device.read(into)).subarray(0, 28 * 28)
      t.ok(red.every((value, i) => Math.abs(value - ((wanted[i * 3] ?? 0) / 127.5 - 1)) < 1e-6))
      resizer.free()
      device.freeTensor(into)
    }
    t.equal(device.liveBytes, 0)
  })
})

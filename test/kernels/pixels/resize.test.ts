import { readFile } from 'node:fs/promises'
import t from 'tap'
import type { Device } from '../../../kernels/device/device.ts'
import {
  normalisationTable,
  normalisePixels,
  normaliseReference,
} from '../../../kernels/pixels/normalise-pixels.ts'
import {
  bicubicFilter,
  type Extent,
  filterTensors,
  packedWords,
  resize,
  resizeReference,
} from '../../../kernels/pixels/resize.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { fixture } from '../../fixtures.ts'
import { noise, onEachFamily } from '../support.ts'

const table = normalisationTable({ rescaleFactor: 1 / 255, mean: [0.5, 0.4, 0.3], std: [0.5, 0.25, 0.2] })

const picture = ({ width, height }: Extent, seed: number): Uint8Array =>
  // Half of it black or white, so that the kernel's negative weights reach the clamps.
  Uint8Array.from(noise(width * height * 3, seed, 1020), value => Math.min(255, Math.max(0, value + 128)))

async function onGpu(device: Device, bytes: Uint8Array, from: Extent, to: Extent) {
  const recording = new Recording(device)
  const words = new Uint32Array(packedWords(from))
  new Uint8Array(words.buffer).set(bytes)
  const input = device.tensor('picture', [words.length], 'u32', words)
  const pixels = recording.pin('pixels', [to.height, to.width], 'u32')
  const values = recording.pin('values', [3, to.height, to.width])
  const filters = filterTensors(device, from, to)
  const normalisation = device.tensor('table', [3, 256], 'f32', table)
  resize(recording, input, from, pixels, filters)
  normalisePixels(recording, pixels, normalisation, values)
  const compiled = await compile(device, recording, 'test')
  compiled.run()
  const rgbx = new Uint8Array((await compiled.readIntegers(pixels)).buffer)
  const result = { bytes: rgbx.filter((_, i) => i % 4 !== 3), values: await compiled.read(values) }
  for (const tensor of [input, filters.x, filters.y, normalisation]) device.freeTensor(tensor)
  compiled.free()
  return result
}

/** 1, odd, equal, one more than a workgroup; up, down, and one axis only. */
const sizes: [Extent, Extent][] = [
  [size(1, 1), size(1, 1)],
  [size(1, 1), size(7, 5)],
  [size(33, 17), size(1, 1)],
  [size(13, 9), size(13, 9)],
  [size(13, 9), size(13, 21)],
  [size(13, 9), size(28, 9)],
  [size(161, 91), size(28, 28)],
  [size(5, 3), size(65, 64)],
  [size(257, 65), size(65, 66)],
  [size(300, 2), size(7, 7)],
]

t.test('resized bytes are those of the reference, and so are the normalised values', async t => {
  await onEachFamily(t, async (device, t) => {
    for (const [i, [from, to]] of sizes.entries()) {
      const bytes = picture(from, i + 1)
      const wanted = resizeReference(bytes, from, to)
      const found = await onGpu(device, bytes, from, to)
      const what = `${from.width} × ${from.height} to ${to.width} × ${to.height}`
      t.ok(Buffer.compare(found.bytes, wanted) === 0, what)
      t.ok(bytesEqual(found.values, normaliseReference(wanted, table)), `${what}, normalised`)
    }
    t.equal(device.liveBytes, 0)
  })
})

t.test('resized bytes are those of Pillow', async t => {
  const pictures: { input: string; width: number; height: number; size: number; resized: string }[] =
    JSON.parse(await readFile(fixture('video/resized.json'), 'utf8'))
  await onEachFamily(t, async (device, t) => {
    for (const { input, width, height, size: side, resized } of pictures) {
      const [bytes, wanted] = [Buffer.from(input, 'base64'), Buffer.from(resized, 'base64')]
      const what = `${width} × ${height} to ${side} × ${side}`
      const reference = resizeReference(bytes, size(width, height), size(side, side))
      t.ok(Buffer.compare(reference, wanted) === 0, `${what}, reference`)
      const found = await onGpu(device, bytes, size(width, height), size(side, side))
      t.ok(Buffer.compare(found.bytes, wanted) === 0, `${what}, kernel`)
    }
  })
})

t.test('an axis that keeps its size is unchanged', async t => {
  const { taps, rows } = bicubicFilter(5, 5)
  for (let x = 0; x < 5; x++) {
    const [first, count, ...weights] = rows.subarray(x * (taps + 2), (x + 1) * (taps + 2))
    const ones = weights.slice(0, count).flatMap((weight, j) => (weight === 0 ? [] : [[first + j, weight]]))
    t.same(ones, [[x, 2 ** 22]])
  }
})

t.test('bytes become −1 to 1 with mean and deviation one half', async t => {
  const half = normalisationTable({ rescaleFactor: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] })
  t.equal(half[0], -1)
  t.equal(half[255], 1)
  for (let p = 0; p < 256; p++) t.ok(Math.abs(half[p] - (p / 127.5 - 1)) <= 2 ** -23, { diagnostic: false })
})

function size(width: number, height: number): Extent {
  return { width, height }
}

const bytesEqual = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.compare(
    Buffer.from(a.buffer, a.byteOffset, a.byteLength),
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  ) === 0

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { thumbnail, tile } from '../../../operators/video/picture.ts'
import { scaledJpegs, writeJpeg } from '../../../operators/video/pictures.ts'

const grey = (width: number, height: number, level: number) => {
  return { width, height, pixels: new Uint8Array(width * height * 3).fill(level) }
}

t.test('a thumbnail keeps the proportions and the colour', async t => {
  const { width, height, pixels } = thumbnail(grey(31, 17, 90), 10)
  t.strictSame([width, height, pixels.length], [10, 5, 150])
  t.ok(pixels.every(value => value === 90))
  t.equal(thumbnail(grey(4, 3, 1), 10).width, 4, 'it is never larger than the picture')
})

t.test(
  'pictures are side by side with light lines between them, and what is left of the last row is light',
  async t => {
    const sheet = tile(
      [10, 20, 30].map(level => grey(2, 1, level)),
      2,
    )
    t.strictSame([sheet.width, sheet.height], [6, 4])
    const levels = [...sheet.pixels].filter((_, i) => i % 3 === 0)
    const light = 224
    t.strictSame(
      [0, 1, 2, 3].map(row => levels.slice(row * 6, row * 6 + 6)),
      [
        [10, 10, light, light, 20, 20],
        Array.from({ length: 6 }, () => light),
        Array.from({ length: 6 }, () => light),
        [30, 30, light, light, light, light],
      ],
    )
  },
)

t.test('a sheet is written as JPEG and can be made smaller', async t => {
  const path = join(t.testdir(), 'sheets/one.jpg')
  await writeJpeg(path, grey(64, 32, 128))
  const bytes = readFileSync(path)
  t.strictSame([bytes[0], bytes[1]], [0xff, 0xd8])
  const [small = Buffer.alloc(0), ...others] = await scaledJpegs([bytes, bytes, bytes], 16, 9)
  t.strictSame(others, [small, small])
  // width and height are in the frame header
  const at = small.indexOf(Buffer.from([0xff, 0xc0]))
  t.strictSame([small.readUInt16BE(at + 7), small.readUInt16BE(at + 5)], [16, 8])
})

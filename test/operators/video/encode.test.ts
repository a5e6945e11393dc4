import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import type { Pictures } from '../../../operators/kinds.ts'
import { encodeVideo } from '../../../operators/video/encode.ts'
import { openClip } from '../../../operators/video/open-clip.ts'

const options = { codec: 'mpeg4', quality: 2, deadlineSeconds: 20 }

/** Frames of one colour each, growing brighter. */
function pictures(width: number, height: number, count: number): Pictures {
  const frames = Array.from({ length: count }, (_, i) => new Uint8Array(width * height * 3).fill(30 + 20 * i))
  return { path: 'clip.mp4', width, height, framesPerSecond: 8, frames, rows: [] }
}

for (const [width, height, count] of [
  [64, 64, 9],
  [33, 17, 2],
  [16, 16, 1],
] as const) {
  t.test(`${count} frames of ${width}×${height} come back from the file`, async t => {
    const path = join(t.testdir(), 'new/folder/clip.mp4')
    await encodeVideo(path, pictures(width, height, count), options)
    const sample = { video: path, question: '', fields: {} }
    const clip = await openClip(path, sample, {
      deadlineSeconds: 20,
      folderFramesPerSecond: 3,
      signal: t.context.signal,
    })
    t.match(clip, { frameCount: count, framesPerSecond: 8, width, height })
    const frames = await clip.read(Array.from({ length: count }, (_, i) => i))
    for (const [i, frame] of frames.entries()) {
      const mean = frame.reduce((sum, value) => sum + value, 0) / frame.length
      t.ok(Math.abs(mean - (30 + 20 * i)) < 3, `frame ${i} is ${mean}`)
    }
  })
}

t.test('the same pictures give the same bytes', async t => {
  const folder = t.testdir()
  const [one, two] = [join(folder, 'one.mp4'), join(folder, 'two.mp4')]
  await encodeVideo(one, pictures(32, 32, 5), options)
  await encodeVideo(two, pictures(32, 32, 5), options)
  t.ok(readFileSync(one).equals(readFileSync(two)))
})

t.test('what cannot be encoded is an error that says why, and leaves no file', async t => {
  const path = join(t.testdir(), 'clips/clip.mp4')
  const good = pictures(16, 16, 2)
  await t.rejects(encodeVideo(path, { ...good, frames: [] }, options), { code: 'no-frames' })
  await t.rejects(encodeVideo(path, { ...good, width: 17 }, options), {
    code: 'bad-frame',
    message: `${path}: frame 0 has 768 bytes, a 17×16 RGB frame has 816`,
  })
  await t.rejects(encodeVideo(path, good, { ...options, codec: 'no-such-codec' }), {
    code: 'encode-failed',
    message: /ffmpeg could not encode it with no-such-codec; it said: .*no-such-codec/,
  })
  await t.rejects(encodeVideo(path, good, { ...options, deadlineSeconds: 0.001 }), { code: 'deadline' })
  t.same(readdirSync(dirname(path)), [])
})

import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { decodeFrames } from '../../../operators/video/decode-frames.ts'
import { mediaInput } from '../../../operators/video/ffmpeg-input.ts'
import { fileMedia } from '../../../operators/video/media.ts'
import { openClip } from '../../../operators/video/open-clip.ts'
import { probeLong, probeVideo } from '../../../operators/video/probe.ts'
import { seekFrames } from '../../../operators/video/seek-frames.ts'
import { clipFolder, make, numbered, numberOf, openOptions, sampleOf } from './clips.ts'

const folder = await clipFolder(t)
const options = { deadlineSeconds: 20 }
const source = `-f lavfi -i testsrc2=s=64x48:r=25:d=6`

const clips = {
  'closed.mp4': `${source} -c:v libx264 -g 20 -bf 3 -x264-params scenecut=0`,
  'open.mkv': `${source} -c:v libx264 -g 20 -bf 3 -x264-params open-gop=1:scenecut=0`,
  'open.mp4': `${source} -c:v libx265 -x265-params keyint=20:min-keyint=20:open-gop=1:log-level=error`,
  'variable.mp4': `${source},select='lt(mod(n,9),5)' -vsync vfr -c:v libx264 -g 16`,
  'plain.avi': `${source} -c:v mpeg4 -g 15`,
  'vp9.webm': `${source} -c:v libvpx-vp9 -deadline realtime -g 30`,
  'late.mp4': `${source} -c:v libx264 -g 25 -output_ts_offset 8.333`,
}

for (const [name, recipe] of Object.entries(clips))
  t.test(`${name}: what is found by seeking is what decoding all of it gives`, async t => {
    await make(folder, `${recipe} @${name}`)
    const path = join(folder, name)
    const media = await fileMedia(path)
    const [whole, long] = [await probeVideo(media, options), await probeLong(media, options)]
    const { frameCount, rate, width, height, seek } = long ?? {}
    t.same({ frameCount, rate, width, height }, pick(whole))
    if (!seek) return t.fail('it cannot be sought')
    const wanted = Array.from({ length: whole.frameCount }, (_, i) => i).filter(i => i % 3 === 1)
    const from = { path, media, open: mediaInput(media), width: whole.width, height: whole.height }
    const expected = decodeFrames(from, wanted, options)
    for await (const frame of seekFrames(from, seek, wanted, options)) {
      const next = await expected.next()
      if (next.done || Buffer.compare(frame, next.value) !== 0) return t.fail('another frame')
    }
    t.ok((await expected.next()).done, 'as many frames')
  })

function pick({ frameCount, rate, width, height }: Awaited<ReturnType<typeof probeVideo>>) {
  return { frameCount, rate, width, height }
}

t.test('a large file is opened and read by seeking, and what is cut off at its end is told', async t => {
  await make(
    folder,
    `${numbered('32x32', 25, 70)} -c:v libx264 -qp 0 -pix_fmt yuv420p -g 12 -bf 3 @numbered.mp4`,
  )
  const bytes = await readFile(join(folder, 'numbered.mp4'))
  const padding = 65_000_000
  const path = join(folder, 'large.mp4')
  // a box "free" that is as long as the padding, of zeros that take no disk
  await writeFile(
    path,
    Buffer.concat([
      bytes,
      Buffer.from([padding >> 24, padding >> 16, padding >> 8, padding]),
      Buffer.from('free'),
    ]),
  )
  await truncate(path, bytes.length + padding)
  const clip = await openClip(path, sampleOf(path), openOptions)
  t.match(clip, { frameCount: 70, framesPerSecond: 25, damage: undefined })
  t.same((await clip.read([69, 0, 33, 12, 11, 13])).map(numberOf), [69, 0, 33, 12, 11, 13])
  await truncate(path, bytes.length + padding - 1)
  t.match((await openClip(path, sampleOf(path), openOptions)).damage, /the part "free" ends at byte/)
})

t.test(
  'a clip with one key frame, or whose packets are not its frames, is decoded from its start',
  async t => {
    await make(folder, `${source} -c:v libx264 -g 999 -x264-params scenecut=0 @one-key.mp4`)
    t.equal(await probeLong(await fileMedia(join(folder, 'one-key.mp4')), options), undefined)
    await make(folder, `${source} -c:v libx264 -g 20 @ends.h264`)
    t.equal(
      await probeLong(await fileMedia(join(folder, 'ends.h264')), options),
      undefined,
      'it states no times',
    )
  },
)

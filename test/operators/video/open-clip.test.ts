import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openClip } from '../../../operators/video/open-clip.ts'
import { VideoError } from '../../../operators/video/video-error.ts'
import { clipFolder, make, numbered, numberOf, openOptions, sampleOf } from './clips.ts'

const folder = await clipFolder(t)
const open = (name: string) => openClip(join(folder, name), sampleOf(name), openOptions)
const x264 = '-c:v libx264 -preset ultrafast -qp 0 -pix_fmt yuv420p'
const pattern = 'testsrc2=s=64x48:r=30:d=2'

await make(folder, `-f lavfi -i ${pattern} -f lavfi -i sine=d=3 ${x264} -g 20 -bf 3 @bframes.mp4`)
await make(folder, '-i @bframes.mp4 -an -c copy -metadata:s:v rotate=90 @rotated.mp4')
await make(folder, '-i @bframes.mp4 -an -c copy @nocount.mkv')
await make(folder, '-i @bframes.mp4 -an -c copy -movflags +faststart @whole.mp4')
await make(folder, '-i @bframes.mp4 -vn @audio.m4a')
await make(folder, '-i @bframes.mp4 -vn @sound.wav')
await make(folder, '-ss 0.5 -i @bframes.mp4 -an -c copy @edited.mp4')

interface Outcome {
  what: string
  name: string
  recipe?: string
  frames: number
  size: [number, number]
  rate: number
}

const outcomes: Outcome[] = [
  { what: 'B-frames and sound', name: 'bframes.mp4', frames: 60, size: [64, 48], rate: 30 },
  { what: 'rotation metadata is not applied', name: 'rotated.mp4', frames: 60, size: [64, 48], rate: 30 },
  { what: 'no frame count in the header', name: 'nocount.mkv', frames: 60, size: [64, 48], rate: 30 },
  {
    what: 'variable frame rate',
    name: 'variable.mp4',
    recipe: `-f lavfi -i testsrc2=s=64x48:r=30:d=6,select='if(lt(t,2),1,if(lt(t,4),not(mod(n,2)),not(mod(n,5))))' -vsync vfr ${x264} -bf 0 @variable.mp4`,
    frames: 102,
    size: [64, 48],
    rate: 765 / 44,
  },
  {
    what: 'a rate of 30000/1001',
    name: 'ntsc.mp4',
    recipe: `-f lavfi -i testsrc2=s=64x48:r=30000/1001:d=1 ${x264} @ntsc.mp4`,
    frames: 30,
    size: [64, 48],
    rate: 30000 / 1001,
  },
  {
    what: 'the same in a container whose clock counts milliseconds',
    name: 'ntsc.mkv',
    recipe: '-i @ntsc.mp4 -c copy @ntsc.mkv',
    frames: 30,
    size: [64, 48],
    rate: 30000 / 1001,
  },
  {
    what: 'odd width and height, VP9',
    name: 'odd.webm',
    recipe:
      '-f lavfi -i testsrc=s=35x27:r=25:d=0.4,format=yuv420p -c:v libvpx-vp9 -deadline realtime -b:v 200k @odd.webm',
    frames: 10,
    size: [35, 27],
    rate: 25,
  },
  {
    what: 'AVI',
    name: 'x.avi',
    recipe: '-f lavfi -i testsrc2=s=64x48:r=25:d=1 -c:v mpeg4 @x.avi',
    frames: 25,
    size: [64, 48],
    rate: 25,
  },
  {
    what: 'GIF',
    name: 'a.gif',
    recipe: '-f lavfi -i testsrc2=s=64x48:r=10:d=2 @a.gif',
    frames: 20,
    size: [64, 48],
    rate: 10,
  },
  {
    what: 'first time stamp far from zero',
    name: 'late.mp4',
    recipe: '-i @bframes.mp4 -an -c copy -output_ts_offset 8.333 @late.mp4',
    frames: 60,
    size: [64, 48],
    rate: 30,
  },
  {
    what: 'one frame only',
    name: 'one.mp4',
    recipe: `-f lavfi -i testsrc2=s=64x48:r=25:d=1 -frames:v 1 ${x264} @one.mp4`,
    frames: 1,
    size: [64, 48],
    rate: 25,
  },
  {
    what: 'a name that looks like an option and a protocol',
    name: '-http:odd %d.mp4',
    frames: 60,
    size: [64, 48],
    rate: 30,
  },
]

for (const { what, name, recipe, frames, size, rate } of outcomes)
  t.test(`${what}: frames, size and rate are known`, async t => {
    if (recipe) await make(folder, recipe)
    else if (name.startsWith('-')) await copyFile(join(folder, 'bframes.mp4'), join(folder, name))
    const clip = await open(name)
    t.equal(clip.frameCount, frames)
    t.same([clip.width, clip.height], size)
    t.ok(Math.abs(clip.framesPerSecond / rate - 1) < 1e-9, `${clip.framesPerSecond} frames a second`)
    t.equal(clip.durationSeconds, frames / clip.framesPerSecond)
    const ends = await clip.read([0, frames - 1])
    t.same(
      ends.map(frame => frame.length),
      [size[0] * size[1] * 3, size[0] * size[1] * 3],
    )
  })

t.test('frames that an edit list hides are not counted, and the last one counted can be read', async t => {
  const clip = await open('edited.mp4')
  t.ok(clip.frameCount < 60, `${clip.frameCount} frames`)
  t.equal((await clip.read([clip.frameCount - 1])).length, 1)
})

t.test('the first of two video streams is taken', async t => {
  const two = `-f lavfi -i ${pattern} -f lavfi -i testsrc2=s=128x96:r=15:d=1`
  await make(folder, `${two} -map 0 -map 1 ${x264} @two.mp4`)
  const { width, height, frameCount } = await open('two.mp4')
  t.same([width, height, frameCount], [64, 48, 60])
})

t.test('a file cut short gives the frames that are left', async t => {
  const whole = await readFile(join(folder, 'whole.mp4'))
  await writeFile(join(folder, 'cut.mp4'), whole.subarray(0, Math.floor(whole.length * 0.55)))
  const clip = await open('cut.mp4')
  t.ok(clip.frameCount > 10 && clip.frameCount < 60, `${clip.frameCount} frames`)
  t.equal((await clip.read([clip.frameCount - 1])).length, 1)
})

t.test('what is no usable video is an error of one line with the name, and a code', async t => {
  await writeFile(join(folder, 'empty.mp4'), '')
  await writeFile(join(folder, 'text.mp4'), 'not a video\n')
  const whole = await readFile(join(folder, 'bframes.mp4'))
  await writeFile(join(folder, 'no-index.mp4'), whole.subarray(0, Math.floor(whole.length / 2)))
  await mkdir(join(folder, 'no-pictures'))
  await make(folder, `-f lavfi -i ${pattern} -t 0 -c:v mpeg4 @no-frames.avi`)
  await make(folder, '-f lavfi -i color=s=32x32 -frames:v 1 @cover.png')
  await make(
    folder,
    '-i @audio.m4a -i @cover.png -map 0 -map 1 -c copy -disposition:v:0 attached_pic @cover.m4a',
  )
  const codes = {
    'absent.mp4': 'no-file',
    'empty.mp4': 'not-a-video',
    'text.mp4': 'not-a-video',
    'no-index.mp4': 'not-a-video',
    'audio.m4a': 'no-video-stream',
    'sound.wav': 'no-video-stream',
    'cover.m4a': 'no-video-stream',
    'no-frames.avi': 'no-frames',
    'no-pictures': 'bad-folder',
  }
  for (const [name, code] of Object.entries(codes)) {
    const error: unknown = await open(name).catch(error => error)
    if (!(error instanceof VideoError)) t.fail(`${name}: ${String(error)}`)
    else {
      t.equal(error.code, code, `${name}: ${error.message}`)
      t.ok(error.message.startsWith(join(folder, name)) && !error.message.includes('\n'))
    }
  }
  t.match(await open('no-index.mp4').catch(String), /ffmpeg said: moov atom not found/)
})

t.test('the frames read are the ones asked for, in any order, repeats too', async t => {
  await make(folder, `${numbered('32x32', 25, 70)} ${x264} -g 12 -bf 3 @numbered.mp4`)
  const clip = await open('numbered.mp4')
  t.equal(clip.frameCount, 70)
  const wanted = [69, 0, 33, 33, 1, 34, 12, 11, 13, 2, 48]
  t.same((await clip.read(wanted)).map(numberOf), wanted)
  const streamed: number[] = []
  for await (const frame of clip.frames([0, 0, 7, 7, 7, 69])) streamed.push(numberOf(frame))
  t.same(streamed, [0, 0, 7, 7, 7, 69])
  t.same((await clip.read(Array.from({ length: 70 }, (_, i) => i))).map(numberOf), [...Array(70).keys()])
  await t.rejects(clip.read([3, 70]), {
    code: 'bad-index',
    message: /no frame 70; the clip has frames 0 to 69/,
  })
})

t.test('a change of size in the middle keeps numbers and the first size', async t => {
  await make(folder, `${numbered('32x32', 25, 10)} ${x264} @small.h264`)
  await make(folder, `-f lavfi -i color=c=gray:s=64x64:r=25:d=0.4 ${x264} @large.h264`)
  const parts = await Promise.all(['small', 'large'].map(name => readFile(join(folder, `${name}.h264`))))
  await writeFile(join(folder, 'changing.h264'), Buffer.concat(parts))
  const clip = await open('changing.h264')
  t.equal(clip.frameCount, 20)
  const frames = await clip.read([1, 9, 10, 19])
  t.same(
    frames.map(frame => frame.length),
    [3072, 3072, 3072, 3072],
  )
  t.ok(numberOf(frames[1] ?? new Uint8Array()) > numberOf(frames[0] ?? new Uint8Array()), 'in order')
  t.ok(Math.abs((frames[3]?.[0] ?? 0) - 128) < 4, 'the last frame is of the second part')
})

t.test('colours follow the matrix and the range that the file states', async t => {
  const red = '-f lavfi -i color=c=0xC83264:s=64x64:r=5:d=0.4,format=rgb24'
  for (const matrix of ['bt709', 'smpte170m'])
    for (const range of ['tv', 'pc']) {
      const name = `${matrix}-${range}.mp4`
      const convert = `-vf scale=out_color_matrix=${matrix}:out_range=${range},format=yuv420p`
      const tags = `-colorspace ${matrix} -color_range ${range}`
      await make(folder, `${red} ${convert} -c:v libx264 -qp 0 ${tags} @${name}`)
      const [frame = new Uint8Array(3)] = await (await open(name)).read([1])
      const distance = [0xc8, 0x32, 0x64].map((level, channel) => Math.abs(level - (frame[channel] ?? 0)))
      t.ok(Math.max(...distance) <= 2, `${name}: ${frame.slice(0, 3)}`)
    }
})

t.test('a folder of numbered pictures is a clip', async t => {
  const pictures = join(folder, 'pictures')
  await mkdir(pictures)
  await make(folder, `${numbered('32x24', 3, 12)} -q:v 2 @pictures/%05d.jpg`)
  await writeFile(join(pictures, 'notes.txt'), 'not a picture')
  const clip = await open('pictures')
  t.match(clip, {
    frameCount: 12,
    framesPerSecond: 3,
    durationSeconds: 4,
    width: 32,
    height: 24,
    firstFrame: 1,
  })
  t.same((await clip.read([11, 0, 5, 5])).map(numberOf), [11, 0, 5, 5])
  await writeFile(join(pictures, '00006.jpg'), 'damaged')
  await t.rejects(clip.read([0, 5]), { code: 'decode-failed', message: /pictures: 1 of 2 frames decoded/ })
  await rm(join(pictures, '00006.jpg'))
  await t.rejects(open('pictures'), { code: 'bad-folder', message: /00007.jpg: pictures must be numbered/ })
  await rename(join(pictures, '00012.jpg'), join(pictures, '00006.png'))
  await t.rejects(open('pictures'), { code: 'bad-folder', message: /of one format/ })
})

import { existsSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { averageRate } from '../../../operators/video/average-rate.ts'
import { decodeFrames, selection } from '../../../operators/video/decode-frames.ts'
import { encodeVideo } from '../../../operators/video/encode.ts'
import { runFfmpeg } from '../../../operators/video/ffmpeg.ts'
import { mediaInput } from '../../../operators/video/ffmpeg-input.ts'
import { whatFfmpegSaid } from '../../../operators/video/ffmpeg-log.ts'
import { fileMedia } from '../../../operators/video/media.ts'
import { openClip } from '../../../operators/video/open-clip.ts'
import { writeJpeg } from '../../../operators/video/pictures.ts'
import { clipFolder, make, openOptions, sampleOf } from './clips.ts'

const folder = await clipFolder(t)
const clipPath = join(folder, 'clip.mp4')
await make(folder, '-f lavfi -i testsrc2=s=64x48:r=30:d=2 -c:v mpeg4 @clip.mp4')

const real = process.env.FFMPEG_BIN
t.afterEach(() => {
  if (real === undefined) delete process.env.FFMPEG_BIN
  else process.env.FFMPEG_BIN = real
})

/** A program that answers -version as ffmpeg does, and otherwise runs `body`. It leaves its process ids in a file. */
async function fakeFfmpeg(name: string, body: string) {
  const path = join(folder, name)
  const pids = `${path}.pids`
  const version = 'case "$*" in *-version*) echo \'libavcodec     59. 37.100\'; exit 0;; esac'
  await writeFile(path, `#!/bin/sh\n${version}\necho $$ >> '${pids}'\n${body}\n`)
  await chmod(path, 0o755)
  process.env.FFMPEG_BIN = path
  return { alive: async () => (await readFile(pids, 'utf8')).trim().split('\n').filter(isAlive) }
}

/** Zombies of processes that were never ours do not count: the process that adopted them reaps them. */
function isAlive(pid: string): boolean {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}

t.test(
  'a process that makes no progress is killed after its deadline, and what it has started with it',
  async t => {
    const fake = await fakeFfmpeg('hangs', 'sleep 1000 & wait')
    const opening = openClip(clipPath, sampleOf(clipPath), { ...openOptions, deadlineSeconds: 0.3 })
    const message = `${clipPath}: ffmpeg made no progress for 0.3 s (deadlineSeconds)`
    await t.rejects(opening, { code: 'deadline', message })
    t.same(await fake.alive(), [])
  },
)

t.test('a process that ignores signals and only complains is killed too', async t => {
  const fake = await fakeFfmpeg('complains', "trap '' TERM INT HUP PIPE; while :; do echo y >&2; done 2>&2")
  const opening = openClip(clipPath, sampleOf(clipPath), { ...openOptions, deadlineSeconds: 0.3 })
  await t.rejects(opening, { code: 'deadline' })
  t.same(await fake.alive(), [])
})

t.test('a process that lists no packets is killed at its first line', async t => {
  const fake = await fakeFfmpeg('floods', "trap '' TERM INT HUP PIPE; while :; do echo x; done 2>&2")
  const opening = openClip(clipPath, sampleOf(clipPath), openOptions)
  await t.rejects(opening, { code: 'ffmpeg-failed', message: /not a listing of packets by ffmpeg: x/ })
  t.same(await fake.alive(), [])
})

t.test(
  'a slow process is not late while it makes progress, nor while nobody reads what it gives',
  async t => {
    await fakeFfmpeg('slow', 'for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done')
    const reading = async (pauseMilliseconds: number) => {
      let text = ''
      for await (const chunk of runFfmpeg([], { subject: 'x', deadlineSeconds: 0.4 })) {
        text += chunk.toString()
        await new Promise(resolve => setTimeout(resolve, pauseMilliseconds))
      }
      return text.trim().split('\n').length
    }
    t.equal(await reading(0), 8)
    t.equal(await reading(600), 8)
  },
)

t.test('frames that are decoded on the way to those asked for are progress', async t => {
  // -re: as slowly as the clip plays, two seconds, of which nothing is written before the end
  const source = {
    path: clipPath,
    open: ['-re', ...mediaInput(await fileMedia(clipPath))],
    width: 64,
    height: 48,
  }
  const sizes: number[] = []
  for await (const frame of decodeFrames(source, [59], { deadlineSeconds: 0.7 })) sizes.push(frame.length)
  t.same(sizes, [64 * 48 * 3])
})

t.test('a process that something else ends by a signal says nothing about the clip', async t => {
  for (const [name, body] of Object.entries({ killed: 'kill -9 $$', wrapped: 'sh -c "kill -9 \\$\\$"' })) {
    await fakeFfmpeg(name, body)
    const opening = openClip(clipPath, sampleOf(clipPath), openOptions)
    const message = /clip\.mp4: ffmpeg was ended from outside by SIGKILL; ffmpeg said: (nothing|Killed)/
    await t.rejects(opening, { code: 'ffmpeg-killed', message, ofMachine: true })
  }
  await fakeFfmpeg('crashed', 'kill -SEGV $$')
  const crashed = /clip\.mp4: ffmpeg crashed: it was ended by SIGSEGV/
  await t.rejects(openClip(clipPath, sampleOf(clipPath), openOptions), { message: crashed, ofMachine: false })
})

t.test('an abort kills the process', async t => {
  const fake = await fakeFfmpeg('waits', `touch '${folder}/started'; sleep 1000`)
  const controller = new AbortController()
  const opening = openClip(clipPath, sampleOf(clipPath), { ...openOptions, signal: controller.signal })
  opening.catch(() => undefined)
  while (!existsSync(join(folder, 'started'))) await new Promise(resolve => setTimeout(resolve, 5))
  controller.abort()
  await t.rejects(opening, { code: 'aborted' })
  t.same(await fake.alive(), [])
  await t.rejects(openClip(clipPath, sampleOf(clipPath), { ...openOptions, signal: controller.signal }), {
    code: 'aborted',
  })
})

t.test('a reader that leaves early ends the process', async t => {
  const fake = await fakeFfmpeg('endless', 'while :; do echo pixels; done')
  for await (const chunk of runFfmpeg([], { subject: 'x', deadlineSeconds: 20 })) {
    t.ok(chunk.length > 0)
    break
  }
  t.same(await fake.alive(), [])
})

t.test('a program that fails without a word about the file is not a fault of the file', async t => {
  await fakeFfmpeg('fails', "echo '[x @ 0x1234] [error] the disk is gone' >&2; exit 3")
  await t.rejects(openClip(clipPath, sampleOf(clipPath), openOptions), {
    code: 'ffmpeg-failed',
    message: `${clipPath}: ffmpeg ended early, with exit code 3; ffmpeg said: the disk is gone`,
  })
})

t.test('a process that ends before it has read its input is told by what it said', async t => {
  await fakeFfmpeg('early', "echo '[error] Unknown encoder' >&2; exit 1")
  const frames = Array.from({ length: 200 }, () => new Uint8Array(64 * 48 * 3))
  const pictures = { path: 'x.avi', width: 64, height: 48, framesPerSecond: 5, frames, rows: [] }
  const encoding = encodeVideo(join(folder, 'early.avi'), pictures, {
    codec: 'x',
    quality: 3,
    deadlineSeconds: 9,
  })
  await t.rejects(encoding, { code: 'encode-failed', message: /early\.avi: .*it said: Unknown encoder/ })
  const sheet = { width: 640, height: 480, pixels: new Uint8Array(640 * 480 * 3) }
  const writing = writeJpeg(join(folder, 'early.jpg'), sheet)
  await t.rejects(writing, { code: 'encode-failed', message: /early\.jpg: .*it said: Unknown encoder/ })
})

t.test('without a working ffmpeg the error names the ways to have one', async t => {
  process.env.FFMPEG_BIN = join(folder, 'nowhere')
  await t.rejects(openClip(clipPath, sampleOf(clipPath), openOptions), {
    code: 'no-ffmpeg',
    message:
      /FFMPEG_BIN: must be the path of an ffmpeg that runs, found ".*nowhere": nothing is there: set FFMPEG_BIN/,
  })
  const { PATH } = process.env
  delete process.env.FFMPEG_BIN
  process.env.PATH = folder
  t.teardown(() => {
    process.env.PATH = PATH
  })
  const outcome: unknown = await openClip(clipPath, sampleOf(clipPath), openOptions).catch(error => error)
  const found = outcome instanceof Error ? outcome.message : 'opened'
  t.match(found, /FFMPEG_BIN.*ffmpeg-static.*PATH|opened/s)
})

t.test('fewer frames than wanted is an error that says which is missing', async t => {
  const source = { path: clipPath, open: ['-i', clipPath], width: 64, height: 48 }
  const reading = async () => {
    let count = 0
    for await (const _ of decodeFrames(source, [0, 59, 60], { deadlineSeconds: 20 })) count++
    return count
  }
  await t.rejects(reading(), { code: 'decode-failed', message: /2 of 3 frames decoded, none for frame 60/ })
})

t.test('a thousand frames are selected by one short argument that ffmpeg can evaluate', async t => {
  const indices = Array.from({ length: 2000 }, (_, i) => 1_000_000 + i * 3)
  t.ok(selection(indices).length < 128 * 1024)
  await make(folder, '-f lavfi -i color=s=16x16:r=25,trim=end_frame=2100 -c:v mpeg4 @long.mp4')
  const clip = await openClip(join(folder, 'long.mp4'), sampleOf('long'), openOptions)
  let count = 0
  for await (const _ of clip.frames(Array.from({ length: 2050 }, (_, i) => i + 50))) count++
  t.equal(count, 2050, 'more than one argument holds')
})

t.test('the average rate is exact where the packets tell, else the usual rate that prints so', async t => {
  const packets = {
    count: 235,
    first: -6006,
    last: 387387,
    lastDuration: 1001,
    timeBase: [1, 30000],
  } as const
  t.same(averageRate(17.88, packets, 'mov,mp4,m4a,3gp,3g2,mj2'), [3525000, 197197])
  const rounded = { count: 30, first: 0, last: 967, lastDuration: 33, timeBase: [1, 1000] } as const
  t.same(averageRate(29.97, rounded, 'matroska,webm'), [30000, 1001])
  t.same(averageRate(23.98, rounded, 'matroska,webm'), [24000, 1001])
  t.same(averageRate(17.39, rounded, 'matroska,webm'), [1739, 100])
  const unknown = {
    count: 30,
    first: Number.NaN,
    last: Number.NaN,
    lastDuration: 0,
    timeBase: [0, 1],
  } as const
  t.same(averageRate(25, unknown, 'mpegts'), [25, 1])
  t.equal(averageRate(0, unknown, 'mpegts'), undefined)
})

t.test('what ffmpeg said is its last errors, without addresses, names and progress', async t => {
  const log =
    '[info] Input #0\n[mov @ 0x55] [error] moov atom not found\n[error] file:/a/b.mp4: Invalid data\n'
  t.equal(whatFfmpegSaid(log, '/a/b.mp4'), 'moov atom not found; Invalid data')
  t.equal(whatFfmpegSaid('[warning] Output file is empty\n[info] frame=0\n', 'x'), 'Output file is empty')
  t.equal(whatFfmpegSaid('', 'x'), 'nothing')
  const loader =
    'ffmpeg: error while loading shared libraries: libx264.so.164: cannot open shared object file'
  t.equal(
    whatFfmpegSaid(`[info] Input #0\n${loader}\n`, 'x'),
    loader,
    'also when ffmpeg itself did not start',
  )
})

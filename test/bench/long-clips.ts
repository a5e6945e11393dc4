// Makes clips of 2 and 9 hours in 1280 × 720 by looping a minute, and times 16 frames of each: node dist/test/bench/long-clips.js [FOLDER]
// Prints seconds for opening and for the frames, the most memory of this process and of the largest ffmpeg, and whether the frames are
// those of the minute. The clips take 8 GB; those already in FOLDER are used again.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openClip } from '../../operators/video/open-clip.ts'

const folder = process.argv[2] ?? join(tmpdir(), 'flow-long-clips')
const options = { deadlineSeconds: 120, folderFramesPerSecond: 3 }
const open = (path: string) => openClip(path, { video: path, question: '', fields: {} }, options)
const ffmpeg = (...args: string[]) => execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args])

/** A file appears when it is whole. */
function made(name: string, ...args: string[]): string {
  const path = join(folder, name)
  if (existsSync(path)) return path
  ffmpeg(...args, join(folder, `part-${name}`))
  renameSync(join(folder, `part-${name}`), path)
  return path
}

/** The most memory that ffmpeg processes of this one have taken, in MB, looked at ten times a second. */
function watchFfmpeg() {
  let most = 0
  const look = () => {
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name)))
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8')
        if (!status.startsWith('Name:\tffmpeg\n') || !status.includes(`PPid:\t${process.pid}\n`)) continue
        most = Math.max(most, Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0) / 1024)
      } catch {
        // it has ended
      }
  }
  const timer = setInterval(look, 100)
  return { most: () => most, end: () => clearInterval(timer) }
}

mkdirSync(folder, { recursive: true })
const picture = ['-f', 'lavfi', '-i', 'testsrc2=s=1280x720:r=30:d=60', '-f', 'lavfi', '-i', 'sine=d=60']
const coding = '-c:v libx264 -preset veryfast -b:v 1500k -g 250 -pix_fmt yuv420p -c:a aac -b:a 96k'.split(' ')
const minute = made('minute.mp4', ...picture, ...coding)
const short = await open(minute)
for (const hours of [2, 9]) {
  const loop = ['-stream_loop', String(60 * hours - 1), '-i', minute, '-c', 'copy']
  const path = made(`${hours}-hours.mp4`, ...loop)
  const memory = watchFfmpeg()
  const started = performance.now()
  const clip = await open(path)
  const opened = performance.now()
  const indices = Array.from({ length: 16 }, (_, i) => Math.floor((i * (clip.frameCount - 1)) / 15))
  const frames = await clip.read(indices)
  const ended = performance.now()
  memory.end()
  const wanted = indices.map(index => index % short.frameCount)
  const own = new Map<number, Uint8Array>()
  for (const index of new Set(wanted)) for (const frame of await short.read([index])) own.set(index, frame)
  const same = frames.filter(
    (frame, i) => Buffer.compare(frame, own.get(wanted[i] ?? -1) ?? new Uint8Array()) === 0,
  ).length
  const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1)
  const ownMemory = (process.resourceUsage().maxRSS / 1024).toFixed(0)
  console.log(
    `${hours} h, ${clip.frameCount} frames${clip.damage === undefined ? '' : `, ${clip.damage}`}: opened in ${seconds(started, opened)} s, 16 frames in ${seconds(opened, ended)} s, ${same} of 16 those of the minute; at most ${ownMemory} MB here, ${memory.most().toFixed(0)} MB in an ffmpeg`,
  )
}

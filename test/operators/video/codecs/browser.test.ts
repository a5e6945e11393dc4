// Clips in a browser: what WebCodecs gives in Chromium beside what ffmpeg gives in Node.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openClip } from '../../../../operators/video/open-clip.ts'
import { openBrowser, openPage, serve, strangersPage } from '../../../browser.ts'

t.setTimeout(800_000)
const browser = await openBrowser(t)

/** Mounts a clip, opens it by video.decode, and reads frames by their numbers. */
const page = `
import { mount, operator, runGraph } from '@flow-graphs/flow/browser'

const graph = {
  version: 1,
  summary: 'Opens a clip.',
  params: { video: { type: 'string', description: 'The clip.' } },
  nodes: {
    question: { operator: 'read.question', config: { video: '\${video}', question: '?' } },
    clip: { operator: 'video.decode', from: { samples: 'question.samples' } },
    look: { operator: 'test.look', from: { clips: 'clip.clips' } },
  },
}
let count = 0
globalThis.look = async (name, indices) => {
  let seen
  const look = operator({
    summary: 'Looks at a clip.', config: {}, inputs: { clips: 'clip' }, outputs: {}, effects: true,
    run: ({ clips }, _, context) => ({ done: clips.pipe(context.each(async clip => {
      const { frameCount, framesPerSecond, width, height } = clip
      const frames = await clip.read(indices.filter(index => index < frameCount), context.signal)
      seen = { frameCount, framesPerSecond, width, height, frames: frames.map(frame => Array.from(frame)) }
    })) }),
  })
  await mount('/clips/' + name, await (await fetch(name)).blob())
  const run = await runGraph(graph, {
    directory: '/runs/' + ++count, set: ['video=/clips/' + name], operators: { 'test.look': look },
  })
  const { status, error, leaked } = await run.done
  return { status, error: error?.message, leaked, seen }
}
globalThis.ready = true
`

/** A moving picture in colours, made by ffmpeg with these arguments. */
function makeClip(folder: string, name: string, encoder: readonly string[], size = '96x64'): void {
  const source = ['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=12:duration=2`]
  const { status, stderr } = spawnSync('ffmpeg', [
    '-y',
    ...source,
    '-pix_fmt',
    'yuv420p',
    ...encoder,
    join(folder, name),
  ])
  if (status !== 0) throw new Error(String(stderr))
}

interface Looked {
  status: string
  error?: string
  leaked: number
  seen?: { frameCount: number; framesPerSecond: number; width: number; height: number; frames: number[][] }
}

async function pageWith(t: Test, fill: (site: string) => void) {
  const site = await strangersPage(t, page)
  fill(site)
  const { page: opened } = await openPage(browser, await serve(t, site))
  await opened.waitForFunction('globalThis.ready', null, { timeout: 300_000 })
  const look = (name: string, indices: readonly number[]): Promise<Looked> =>
    opened.evaluate(`look(${JSON.stringify(name)}, ${JSON.stringify(indices)})`)
  return { site, look }
}

const clips: Readonly<Record<string, readonly string[]>> = {
  'vp9.webm': ['-c:v', 'libvpx-vp9', '-b:v', '0', '-crf', '20'],
  'vp9.mp4': ['-c:v', 'libvpx-vp9', '-g', '7'],
  // with frames that are never shown
  'vp8.webm': ['-c:v', 'libvpx', '-b:v', '1M', '-auto-alt-ref', '1', '-lag-in-frames', '16'],
  'hd-matrix.webm': [
    '-c:v',
    'libvpx-vp9',
    '-colorspace',
    'bt709',
    '-color_primaries',
    'bt709',
    '-color_trc',
    'bt709',
  ],
}

t.test('frames have the numbers, the sizes and nearly the pixels that ffmpeg gives', async t => {
  const { site, look } = await pageWith(t, site => {
    for (const [name, encoder] of Object.entries(clips))
      makeClip(site, name, encoder, name === 'vp8.webm' ? '97x65' : '96x64')
  })
  const indices = [0, 1, 9, 23]
  for (const name of Object.keys(clips)) {
    const { status, error, leaked, seen } = await look(name, indices)
    t.match({ status, error, leaked }, { status: 'completed', error: undefined, leaked: 0 }, name)
    const sample = { video: name, question: '?', fields: {} }
    const clip = await openClip(join(site, name), sample, { deadlineSeconds: 20, folderFramesPerSecond: 1 })
    const { frameCount, framesPerSecond, width, height } = clip
    t.match(seen, { frameCount, framesPerSecond, width, height }, name)
    const expected = await clip.read(indices)
    const differences = expected.flatMap((frame, i) =>
      [...frame].map((value, at) => Math.abs(value - (seen?.frames[i]?.[at] ?? 999))),
    )
    const most = differences.reduce((most, one) => Math.max(most, one), 0)
    const mean = differences.reduce((sum, one) => sum + one, 0) / differences.length
    t.comment(`${name}: at most ${most} of 255 from ffmpeg's pixels, ${mean.toFixed(3)} in the mean`)
    t.ok(most <= 4 && mean < 1, `${name}: at most ${most}, mean ${mean}`)
  }
})

t.test('what a browser cannot decode is named, with what to do', async t => {
  const { look } = await pageWith(t, site => {
    makeClip(site, 'old.mp4', ['-c:v', 'mpeg4'])
    writeFileSync(join(site, 'text.mp4'), 'This is no clip.')
    mkdirSync(join(site, 'x'))
  })
  t.match(await look('old.mp4', [0]), {
    status: 'failed',
    error: /old\.mp4: this browser cannot decode .*ffmpeg -i CLIP/,
  })
  t.match(await look('text.mp4', [0]), { status: 'failed', error: /text\.mp4: must be MP4.*ffmpeg -i CLIP/ })
})

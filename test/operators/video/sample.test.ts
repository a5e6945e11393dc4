import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator, resource } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { normalisationTable, normaliseReference } from '../../../kernels/pixels/normalise-pixels.ts'
import { resizeReference } from '../../../kernels/pixels/resize.ts'
import { sharedDevice } from '../../../operators/device.ts'
import type { Clip, Frames } from '../../../operators/kinds.ts'
import type { Processor } from '../../../operators/model/checkpoint/processor.ts'
import decode from '../../../operators/video/decode.ts'
import { openClip } from '../../../operators/video/open-clip.ts'
import { type FrameChoice, pickFrames } from '../../../operators/video/pick-frames.ts'
import sample from '../../../operators/video/sample.ts'
import { clipFolder, make, numbered, openOptions, sampleOf } from './clips.ts'

const folder = await clipFolder(t)
await make(folder, `${numbered('40x24', 10, 30)} -c:v libx264 -qp 0 -pix_fmt yuv420p @clip.mp4`)
await writeFile(join(folder, 'text.mp4'), 'not a video')

const processor: Processor = {
  size: 14,
  resize: true,
  rescaleFactor: 1 / 255,
  mean: [0.5, 0.4, 0.3],
  std: [0.5, 0.25, 0.2],
}

const model = resource({
  summary: 'Stands for a model: it has an image processor.',
  config: {},
  kind: 'model',
  open: async () => ({ processor }),
  close: () => undefined,
})

const samples = operator({
  summary: 'Emits a sample for each path.',
  config: { paths: { type: 'array', items: { type: 'string' }, description: 'Clips.' } },
  inputs: {},
  outputs: { samples: 'sample' },
  run: (_, { paths }, context) => ({
    samples: context.source(async function* () {
      for (const [i, path] of paths.entries()) yield { key: String(i), value: sampleOf(path) }
    }),
  }),
})

interface Seen {
  indices: readonly number[]
  values: Float32Array
}

/** Runs decode and sample as a graph, reads back the pixels of every item. */
async function sampled(paths: readonly string[], config: Readonly<Record<string, unknown>>) {
  const seen: Seen[] = []
  let device: Device | undefined
  const collect = operator({
    summary: 'Reads frames back.',
    config: {},
    inputs: { frames: 'frames' },
    outputs: {},
    run: ({ frames }, _, context) => ({
      none: frames.pipe(
        context.each(async ({ indices, pixels }: Frames) => {
          device = await sharedDevice(context)
          if (pixels) seen.push({ indices, values: await device.read(pixels) })
          return undefined
        }),
      ),
    }),
  })
  const graph = {
    version: 1,
    summary: 'Samples clips.',
    resources: { policy: { resource: 'model' } },
    nodes: {
      samples: { operator: 'samples', config: { paths } },
      clips: { operator: 'video.decode', onError: 'skip', from: { samples: 'samples.samples' } },
      frames: {
        operator: 'video.sample',
        config: { model: 'policy', ...config },
        from: { clips: 'clips.clips' },
      },
      collect: { operator: 'collect', from: { frames: 'frames.frames' } },
    },
  }
  const operators = { samples, collect, 'video.decode': decode, 'video.sample': sample }
  const plan = loadGraph(
    'graph.json',
    { operators, resources: { model } },
    { read: () => JSON.stringify(graph) },
  )
  const summary = await startRun(plan, { seed: 1, directory: join(folder, 'run') }).done
  t.equal(device?.liveBytes, 0, 'every frame was freed')
  return { seen, summary }
}

const clipPath = join(folder, 'clip.mp4')
const expected = (frame: Uint8Array, width: number, height: number): Float32Array =>
  normaliseReference(
    resizeReference(frame, { width, height }, { width: 14, height: 14 }),
    normalisationTable(processor),
  )

t.test('a graph samples clips to normalised pixels, and frees them', async t => {
  const { seen, summary } = await sampled([clipPath, clipPath], { count: 4 })
  t.match(summary, { status: 'completed', leaked: 0, skipped: 0, acknowledged: 2 })
  t.same(
    seen.map(({ indices }) => indices),
    [
      [0, 9, 19, 29],
      [0, 9, 19, 29],
    ],
  )
  const clip = await openClip(clipPath, sampleOf(clipPath), openOptions)
  const frames = await clip.read([0, 9, 19, 29])
  t.same(
    [...(seen[1]?.values ?? [])],
    frames.flatMap(frame => [...expected(frame, 40, 24)]),
  )
})

t.test('aspect pad puts the frame in the middle of a square of the mean colour', async t => {
  const { seen } = await sampled([clipPath], { count: 1, aspect: 'pad' })
  const clip = await openClip(clipPath, sampleOf(clipPath), openOptions)
  const [frame = new Uint8Array()] = await clip.read([0])
  const background = [127, 102, 76] // mean · 255, cut
  const square = Uint8Array.from({ length: 40 * 40 * 3 }, (_, i) => {
    const y = Math.floor(i / 120) - 8
    return y >= 0 && y < 24 ? (frame[y * 120 + (i % 120)] ?? 0) : (background[i % 3] ?? 0)
  })
  t.same([...(seen[0]?.values ?? [])], [...expected(square, 40, 40)])
})

t.test('a file that is no video goes to the dead letters with its name', async t => {
  const bad = join(folder, 'text.mp4')
  const { seen, summary } = await sampled([bad, clipPath], { count: 2 })
  t.equal(seen.length, 1)
  t.match(summary, { status: 'completed', leaked: 0, skipped: 1 })
  t.match(
    await readFile(join(folder, 'run/dead-letters.jsonl'), 'utf8'),
    /text\.mp4: not a video that ffmpeg can read/,
  )
})

t.test('the rules of a choice of frames', async t => {
  await mkdir(join(folder, 'pictures'))
  await make(folder, `${numbered('16x16', 3, 30)} -q:v 2 @pictures/%05d.jpg`)
  const file = await openClip(clipPath, sampleOf(clipPath), openOptions)
  const pictures = await openClip(join(folder, 'pictures'), sampleOf('pictures'), openOptions)
  const choice: FrameChoice = {
    mode: 'count',
    count: 4,
    maxFrames: 64,
    rule: 'L',
    unique: false,
    bounded: false,
  }
  const pick = (clip: Clip, change: Partial<FrameChoice>, fields: Record<string, unknown> = {}) =>
    pickFrames({ ...clip, sample: sampleOf(clip.path, fields) }, { ...choice, ...change })
  t.same(pick(file, {}), [0, 9, 19, 29])
  t.same(pick(file, { mode: 'one-a-second' }), [0, 14, 29], 'three seconds')
  t.same(pick(file, { mode: 'one-a-second', maxFrames: 2 }), [0, 29])
  t.equal(pick(file, { count: 40 }).length, 40)
  t.equal(pick(file, { count: 40, unique: true }).length, 30)
  t.same(pick(file, { rule: 'M' }), [3, 10, 17, 25], 'numbers from 0 to 29')
  t.same(pick(pictures, { rule: 'M' }), [3, 10, 17, 25], 'numbers from 1 to 30, positions from 0')
  t.same(pick(file, { rule: 'M', bounded: true, count: 2 }, { start: 1, end: 2 }), [12, 17])
  t.same(pick(file, { rule: 'S' }), [0, 10, 20], 'three whole seconds')
  t.same(pick(file, { rule: 'S' }, { duration: 2 }), [0, 10], 'the sample says two')
  t.throws(() => pick(file, { rule: 'M', bounded: true }, { start: 2 }), {
    code: 'bad-bounds',
    message: /clip\.mp4: bounded needs numbers, start before end, in the sample; got start 2, end undefined/,
  })
  t.throws(() => pick(file, { rule: 'S' }, { duration: 0.5 }), { code: 'no-frames' })
})

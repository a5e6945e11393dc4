import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operators } from '../../../operators/index.ts'
import { openClip } from '../../../operators/video/open-clip.ts'
import { runGraph } from '../run-graph.ts'
import { clipFolder, make, numbered, openOptions, sampleOf } from './clips.ts'

const folder = await clipFolder(t)
await make(folder, `${numbered('32x16', 4, 10)} -c:v libx264 -qp 0 @grey.mp4`)

interface Row {
  video: string
  question?: string
  solution?: string
  frames: { path: string; seconds: number }[]
}

/** Writes the frames of the clip with some settings; the row and the folder. */
async function written(name: string, config: object) {
  const out = join(folder, name)
  const rows = join(folder, `${name}.jsonl`)
  const sample = { video_filename: './grey.mp4', problem: 'Which?', solution: 'A', task: 'tone' }
  writeFileSync(rows, JSON.stringify(sample))
  const nodes = {
    samples: { operator: 'read.questions', config: { path: rows, root: folder } },
    clips: { operator: 'video.decode', from: { samples: 'samples.samples' } },
    frames: {
      operator: 'video.write-frames',
      config: { folder: out, ...config },
      from: { clips: 'clips.clips' },
    },
    end: { operator: 'collect', from: { items: 'frames.rows' } },
  }
  const { status, leaked, items } = await runGraph({ nodes }, operators, { directory: folder })
  t.match({ status, leaked }, { status: 'completed', leaked: 0 })
  return { out, row: items[0]?.value as Row }
}

t.test(
  'evenly spaced frames are files that the row names, with their times and the fields of the data',
  async t => {
    const { out, row } = await written('count', { count: 3 })
    t.match(row, { video: join(folder, 'grey.mp4'), question: 'Which?', solution: 'A', task: 'tone' })
    t.same(
      row.frames.map(({ seconds }) => seconds),
      [0, 1, 2.25],
      'frames 0, 4 and 9 of 4 a second',
    )
    for (const { path } of row.frames) t.ok(existsSync(join(out, path)), path)
  },
)

t.test('one frame for each second, and narrower than the clip if a width is given', async t => {
  const { out, row } = await written('seconds', { mode: 'one-a-second', maxFrames: 8, width: 16 })
  t.equal(row.frames.length, 2, 'the clip lasts 2.5 s')
  const place = join(out, row.frames[0]?.path ?? '', '..')
  t.same(readdirSync(place), ['0001.jpg', '0002.jpg'])
  const clip = await openClip(place, sampleOf(place), openOptions)
  t.match(clip, { frameCount: 2, width: 16, height: 8 }, 'the folder is a clip of numbered pictures')
})

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { startRun } from '../../../engine/run/run.ts'
import { operators, resources } from '../../../operators/index.ts'
import { repository } from '../../fixtures.ts'
import { clipFolder, make } from './clips.ts'

const folder = await clipFolder(t)
await mkdir(join(folder, 'below'))
await make(folder, '-f lavfi -i color=red:s=16x8:r=5:d=2 -c:v libx264 -qp 0 -pix_fmt yuv444p @below/red.mp4')
await writeFile(join(folder, 'text.MP4'), 'not a video')
await writeFile(join(folder, 'notes.md'), 'not looked at')

async function describe(of: string) {
  const out = join(folder, 'out', 'clips.jsonl')
  const set = [`folder=${of}`, `out=${out}`]
  const plan = loadGraph(join(repository, 'graphs/describe-clips.json'), { operators, resources }, { set })
  const summary = await startRun(plan, { seed: 0, directory: join(folder, 'run', String(Math.random())) })
    .done
  return { summary, out }
}

t.test('clips below a folder are listed with their colours, what is none with the reason', async t => {
  const { summary, out } = await describe(folder)
  t.equal(summary.status, 'completed')
  t.equal(summary.leaked, 0)
  const rows = (await readFile(out, 'utf8')).trim().split('\n')
  t.equal(rows.length, 1)
  const row = JSON.parse(rows[0] ?? '')
  t.match(row, { frameCount: 10, framesPerSecond: 5, durationSeconds: 2, width: 16, height: 8 })
  t.same(
    row.frames.map((frame: { index: number }) => frame.index),
    [0, 4, 9],
  )
  for (const { meanRgb } of row.frames)
    t.ok(meanRgb[0] > 250 && meanRgb[1] < 5 && meanRgb[2] < 5, String(meanRgb))
  const [letter = ''] = (await readFile(join(summary.directory, 'dead-letters.jsonl'), 'utf8'))
    .trim()
    .split('\n')
  t.match(JSON.parse(letter), { key: 'text.MP4', code: 'not-a-video' })
})

t.test('a clip that is cut is listed with its damage', async t => {
  const cut = join(folder, 'cut')
  await mkdir(cut)
  const bytes = await readFile(join(folder, 'below/red.mp4'))
  await make(folder, '-f lavfi -i testsrc2=s=160x120:r=25:d=2 -c:v mpeg4 @cut/a.avi')
  const whole = await readFile(join(cut, 'a.avi'))
  await writeFile(join(cut, 'a.avi'), whole.subarray(0, whole.length * 0.6))
  await writeFile(join(cut, 'b.mp4'), bytes)
  const { out } = await describe(cut)
  const rows = (await readFile(out, 'utf8')).trim().split('\n')
  t.match(JSON.parse(rows[0] ?? ''), { damage: /its RIFF chunk ends at byte \d+, the file at byte \d+/ })
  t.notOk('damage' in JSON.parse(rows[1] ?? ''), 'and one that is whole without')
})

t.test('a folder without clips is an error that names it', async t => {
  const empty = join(folder, 'empty')
  await mkdir(empty)
  const { summary } = await describe(empty)
  t.equal(summary.status, 'failed')
  t.match(summary.error?.message, /empty: no clip in it/)
})

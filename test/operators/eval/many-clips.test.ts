import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { dataOf, evaluate } from './evaluate.ts'

t.setTimeout(800_000)

t.test('an evaluation of more clips than wait between its nodes comes to its end', async t => {
  const folder = t.testdir()
  const [data, out] = [join(folder, 'data'), join(folder, 'out')]
  mkdirSync(data)
  copyFileSync(join(dataOf('mvbench'), 'video/clevrer/video_validation/video_90001.mp4'), join(data, '0.mp4'))
  const count = 200
  // the clips after the first are missing, so that nothing needs to be decoded
  const rows = Array.from({ length: count }, (_, i) => ({
    video: `${i}.mp4`,
    question: `Where does shape ${i} move?`,
    a: 'left',
    b: 'right',
    c: 'up',
    d: 'down',
    answer: 'A',
  }))
  writeFileSync(join(data, 'rows.jsonl'), rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  const set = [`data=${join(data, 'rows.jsonl')}`, 'answers=oracle', 'frames=2', 'failOnError=1']
  const { results, run } = await evaluate('own', out, set)
  t.equal(results.length, count)
  t.equal(results.filter(({ outcome }) => outcome === 'right').length, 1)
  t.equal(results.filter(({ outcome }) => outcome === 'clip-missing').length, count - 1)
  t.equal(run.leaked, 0)
})

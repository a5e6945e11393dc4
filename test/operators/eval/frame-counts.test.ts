import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { dataOf, evaluate, startEvaluation, stored } from './evaluate.ts'

const settings = [
  `data=${dataOf('mvbench')}`,
  'answers=oracle',
  'limit=3',
  // the claims of a run before are of this process, which lives
  'nodes.evaluation/pending.config.claimSeconds=0.01',
]
const text = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')

t.test(
  'several numbers of frames give a folder each, as runs with one number do, and decode a clip once',
  async t => {
    const folder = t.testdir()
    const [both, alone] = [join(folder, 'both'), join(folder, 'alone')]
    const asked = [...settings, 'frameCounts=[2,4]']
    t.equal((await startEvaluation('mvbench', both, asked).done).error, undefined)
    await evaluate('mvbench', alone, [...settings, 'frames=4'])
    for (const name of ['results.jsonl', 'recipe.json'])
      t.equal(text(join(both, 'frames-4'), name), text(alone, name), name)
    t.same(
      [2, 4].map(count => stored(join(both, `frames-${count}`)).results.map(({ indices }) => indices.length)),
      [
        [2, 2, 2],
        [4, 4, 4],
      ],
    )
    const timings = [2, 4].flatMap(count =>
      text(join(both, `frames-${count}`), 'timings.jsonl')
        .trim()
        .split('\n'),
    )
    const clips = timings.map(line => JSON.parse(line) as { clip: string; decode?: number })
    t.equal(
      clips.filter(({ decode }) => decode !== undefined).length,
      new Set(clips.map(({ clip }) => clip)).size,
    )
  },
)

t.test('a stopped run with several numbers asks only what is missing of each', async t => {
  const both = join(t.testdir(), 'both')
  const asked = [...settings, 'frameCounts=[2,4]']
  await startEvaluation('mvbench', both, asked).done
  const before = text(join(both, 'frames-2'), 'results.jsonl')
  const { results } = stored(join(both, 'frames-4'))
  rmSync(join(both, 'frames-4/results'), { recursive: true })
  t.equal((await startEvaluation('mvbench', both, asked).done).error, undefined)
  t.equal(text(join(both, 'frames-2'), 'timings.jsonl').trim().split('\n').length, 3, 'asked once')
  t.equal(text(join(both, 'frames-2'), 'results.jsonl'), before)
  t.same(stored(join(both, 'frames-4')).results, results)
})

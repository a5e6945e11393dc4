// An evaluation gives the same results, byte by byte, however many processes answer the questions.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../../fixtures.ts'
import { flowRun, needServer } from './processes.ts'

t.setTimeout(800_000)
const graph = 'graphs/eval/mvbench.json'
const data = `data=${join(fixture('benchmarks'), 'MVBench')}`
const results = (folder: string) => readFileSync(join(folder, 'results.jsonl'), 'utf8')

t.test('with 1, 2 and 4 workers the results are those of one process', async t => {
  needServer(t)
  const home = t.testdir({})
  const set = (out: string) => [data, 'answers=oracle', 'frames=2', 'limit=16', `out=${out}`]
  const alone = join(home, 'alone')
  await flowRun(graph, { out: join(home, 'run'), set: set(alone) })
  for (const workers of [1, 2, 4]) {
    const out = join(home, String(workers))
    const { text } = await flowRun(graph, {
      out: join(home, `run-${workers}`),
      set: set(out),
      more: ['--workers', String(workers)],
    })
    t.equal(results(out), results(alone), `${workers} workers`)
    t.match(text, /completed, (?!.*not freed)/)
  }
})

// An evaluation gives the same results, byte by byte, also when a model answers them in several processes.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../../fixtures.ts'
import { flowRun, needServer } from './processes.ts'

t.setTimeout(800_000)
const graph = 'graphs/eval/mvbench.json'
const data = `data=${join(fixture('benchmarks'), 'MVBench')}`
const results = (folder: string) => readFileSync(join(folder, 'results.jsonl'), 'utf8')

t.test('with 2 workers the answers of a model are those of one process', async t => {
  needServer(t)
  const home = t.testdir({})
  const set = (out: string) => [
    data,
    'model=builtin:cold-start',
    'frames=2',
    'maxNewTokens=12',
    'limit=4',
    'batch=1',
    `out=${out}`,
  ]
  const alone = join(home, 'alone')
  await flowRun(graph, { out: join(home, 'run'), set: set(alone) })
  const out = join(home, 'two')
  await flowRun(graph, { out: join(home, 'run-2'), set: set(out), more: ['--workers', '2'] })
  t.equal(results(out), results(alone))
})

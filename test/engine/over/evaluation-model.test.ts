// An evaluation gives the same results, byte by byte, also when a model answers them in several processes.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Status } from '../../../engine/run/record/status.ts'
import { readJsonObject } from '../../../engine/shared/json.ts'
import { fixture } from '../../fixtures.ts'
import { writeQuestions } from '../../operators/eval/evaluate.ts'
import { flow, flowRun, needServer } from './processes.ts'

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

t.test('a stop reaches the workers: they leave the questions that they have not begun', async t => {
  needServer(t)
  const home = t.testdir({})
  const each = 12
  const data = writeQuestions(home, ['a.mp4', 'b.mp4'], each)
  const run = (out: string, folder: string) => {
    const settings = ['frames=2', 'maxNewTokens=64', 'batch=1', 'model=builtin:cold-start', `data=${data}`]
    const set = [...settings, `out=${out}`].flatMap(one => ['--set', one])
    return ['run', 'graphs/eval/own.json', '--out', folder, ...set]
  }
  const [alone, cut] = [join(home, 'alone'), join(home, 'cut')]
  t.equal((await flow(run(alone, join(home, 'run')))).code, 0)
  const folder = join(home, 'run-2')
  const words = run(cut, folder)
  const { code, text } = await flow([...words, '--workers', '1'], () => hasAnswered(join(folder, 'workers')))
  t.equal(code, 130, text)
  t.match(text, /run-2: stopped/)
  const count = results(cut).trim().split('\n').filter(Boolean).length
  t.ok(count > 0 && count < each, `${count} answers`)
  t.equal((await flow(run(cut, join(home, 'run-3')))).code, 0)
  t.equal(results(cut), results(alone))
})

/** Whether a model of a worker has answered a question. */
function hasAnswered(workers: string): boolean {
  if (!existsSync(workers)) return false
  const files = readdirSync(workers, { recursive: true, encoding: 'utf8' })
  const file = files.find(name => name.endsWith('status.json'))
  if (file === undefined) return false
  // what the engine writes
  const { nodes } = readJsonObject(join(workers, file)) as unknown as Status
  return nodes.some(({ name, items }) => name === 'evaluation/score' && items > 0)
}

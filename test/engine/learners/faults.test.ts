// What becomes of a run when one of its processes ends or fails. Each start of a process takes a while, so there are few.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../../../engine/graph/check.ts'
import { pluginsOf, withPlugins } from '../../../engine/graph/plugins.ts'
import { remedyOf } from '../../../engine/graph/problem-report.ts'
import { operators, resources } from '../../../operators/index.ts'
import { repository } from '../../fixtures.ts'
import { flow, isGone, learnersOf, metricsOf, sharedBy, startFlow, writeToy } from './toy.ts'

t.setTimeout(800_000)

const home = t.testdir({})
const graph = writeToy(home)
const folder = (name: string) => join(home, name)
const slow = ['--set', 'nodes.learn.config.waitMs=150']
let whole: ReturnType<typeof metricsOf>

t.before(async () => {
  const { code, text } = await flow(['run', graph, '--learners', '2', '--out', folder('whole')], home)
  if (code !== 0) throw new Error(text)
  whole = metricsOf(folder('whole'))
})

const weightsOf = ({ weights }: Record<string, unknown> = {}): number[] =>
  Array.isArray(weights) ? weights.map(Number) : []

t.test('learners divide each batch, and their sums are those of one process but for rounding', async t => {
  await flow(['run', graph, '--out', folder('one')], home)
  const one = metricsOf(folder('one'))
  t.same([one.length, whole.length], [12, 12])
  t.same([one[11]?.learners, whole[11]?.learners], [1, 2])
  const gaps = one.flatMap((line, i) =>
    weightsOf(line).map((weight, k) => Math.abs(weight - (weightsOf(whole[i])[k] ?? 9))),
  )
  t.ok(Math.max(...gaps) < 1e-6, `at most ${Math.max(...gaps)} apart`)
})

t.test(
  'a learner that is killed ends the run and is named with its GPU; the run goes on with the same numbers',
  async t => {
    const run = folder('killed')
    const words = ['run', graph, '--learners', '2', '--gpus', '0,0', '--out', run, ...slow]
    const { child, ended } = startFlow(words, home)
    const [learner] = await learnersOf(child, run)
    process.kill(learner, 'SIGKILL')
    const { code, text } = await ended
    t.equal(code, 1)
    t.match(text, new RegExp(`learner 2 of 2 on GPU 0 \\(.+\\) \\(process ${learner}\\) ended \\(SIGKILL\\)`))
    t.match(text, /--resume goes on from the last checkpoint/)
    const other = await flow(['run', '--resume', run, '--learners', '3'], home)
    t.equal(other.code, 2)
    t.match(other.text, /--learners was 2, is 3/)
    t.equal((await flow(['run', '--resume', run], home)).code, 0)
    t.same(metricsOf(run), whole)
  },
)

t.test('a run that is killed leaves no learner and no memory, and goes on with the same numbers', async t => {
  const run = folder('home')
  const { child, ended } = startFlow(['run', graph, '--learners', '2', '--out', run, ...slow], home)
  const learners = await learnersOf(child, run)
  t.equal(learners.length, 1)
  const shared = learners.flatMap(sharedBy)
  t.equal(shared.length, 2)
  for (const path of shared)
    t.match(path, / \(deleted\)$/, 'no folder names the memory: it ends with its processes')
  child.kill('SIGKILL')
  await ended
  for (const learner of learners) await isGone(learner)
  t.equal((await flow(['run', '--resume', run], home)).code, 0)
  t.same(metricsOf(run), whole)
})

t.test('a learner that is frozen ends the run and is named', async t => {
  const run = folder('frozen')
  const silence = { FLOW_LEARNER_SECONDS: '6' }
  const words = ['run', graph, '--learners', '2', '--out', run, ...slow]
  const { child, ended } = startFlow(words, home, silence)
  const [learner] = await learnersOf(child, run)
  process.kill(learner, 'SIGSTOP')
  const { code, text } = await ended
  t.equal(code, 1)
  t.match(text, /learner 2 of 2 \(process \d+\) was silent for 6 s/)
  await isGone(learner)
})

t.test('a batch that fails in one learner is skipped by all, and the others are learned from', async t => {
  const place = t.testdir({})
  const skipping = writeToy(place, { onError: { skip: 1 } })
  const rows = [
    [1, 2, 3, 4],
    ['bad', 2, 3, 4],
    [1, 2, 3, 'bad'],
    [5, 6, 7, 8],
  ]
  writeFileSync(join(place, 'rows.jsonl'), rows.map(values => `${JSON.stringify({ values })}\n`).join(''))
  const run = join(place, 'run')
  const { code, text } = await flow(['run', skipping, '--learners', '2', '--out', run], place)
  t.equal(code, 0, text)
  const [first, second] = metricsOf(run)
  t.equal(metricsOf(run).length, 2)
  t.not(String(first?.weights), String(second?.weights))
  t.match(text, /learner 2 of 2: found a bad number/)
})

t.test('what cannot be divided is refused, with a remedy', async t => {
  const problemsOf = async (path: string, learners: number) => {
    const registry = await withPlugins({ operators, resources }, pluginsOf(path))
    return checkGraph(path, registry, { learners }).problems
  }
  const [few, ...more] = await problemsOf(graph, 5)
  t.same(more, [])
  t.match(few, { code: 'bad-learners', path: 'nodes.learn.config.numbers', found: '4' })
  t.match(few?.rule, /must be at least 5 for 5 learners/)
  t.equal(few && remedyOf(few), '--set nodes.learn.config.numbers=5 or more, or fewer --learners')
  t.same(await problemsOf(graph, 4), [])
  const place = t.testdir({})
  const [unable] = await problemsOf(writeToy(place, { operator: 'toy.alone' }), 2)
  t.match(unable?.rule, /must be able to divide its updates among 2 learners/)
  const [nothing] = await problemsOf(join(repository, 'graphs/merge.json'), 2)
  t.match(nothing?.rule, /must be for a graph that updates weights/)
})

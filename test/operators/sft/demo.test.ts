import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { startRun } from '../../../engine/run/run.ts'
import { operators, resources } from '../../../operators/index.ts'
import { repository } from '../../fixtures.ts'

const folder = t.testdir()
const data = join(folder, 'data')

/** Runs a stage of the demonstration and gives its metrics. */
async function stage(name: string, set: readonly string[], directory = join(folder, name)) {
  const file = join(repository, `graphs/demo/${name}.json`)
  const plan = loadGraph(file, { operators, resources }, { set })
  const { status, leaked, error } = await startRun(plan, { seed: 1, directory }).done
  if (error) throw error
  const lines =
    name === 'data' || name === 'questions'
      ? []
      : readFileSync(join(directory, 'metrics.jsonl'), 'utf8').trim().split('\n')
  return { status, leaked, metrics: lines.map(line => JSON.parse(line)) }
}
const modelOf = (name: string, resource = 'model') =>
  `model=${join(folder, name, 'checkpoints/last', resource)}`
const done = { status: 'completed', leaked: 0 }

const from = (model: string, ...more: string[]) => [`data=${data}`, model, ...more]

// a run each, which on a busy machine together take longer than tap waits for one file
t.setTimeout(800_000)

t.test('the data and a random model are made', async t => {
  t.match(await stage('data', [`out=${data}`, 'captions=3', 'answers=2']), done)
  t.match(await stage('questions', [`out=${data}`, 'questions=2', 'tests=2', 'testSeed=1']), done)
})

t.test('a random model learns captions, again and again', async t => {
  const { metrics, ...run } = await stage('pretrain', from(`model=${data}`, 'steps=1', 'examples=6'))
  t.match(run, done)
  t.match(metrics, [{ step: 1, examples: 6 }])
  t.ok(metrics[0].loss > 3, 'it knows nothing yet')
})

t.test('the stages go on with the model of the one before', async t => {
  t.match(await stage('finetune', from(modelOf('pretrain'), 'steps=1', 'examples=2')), done)
  t.match(await stage('coldstart', from(modelOf('finetune'), 'steps=1', 'examples=2')), done)
})

t.test('the supervised comparison learns from what GRPO is asked', async t => {
  t.match(await stage('supervised', from(modelOf('coldstart'), 'steps=1', 'examples=2')), done)
})

t.test('GRPO asks several questions for an update', async t => {
  const run = await stage('grpo', from(modelOf('coldstart'), 'steps=1', 'questions=2'))
  t.match(run, { ...done, metrics: [{ step: 1 }] })
})

t.test('evaluation tells what is right with and without seeing', async t => {
  const { metrics, ...run } = await stage('evaluate', from(modelOf('grpo', 'policy')))
  t.match(run, done)
  for (const name of ['seen/accuracy', 'seen/format', 'blind/accuracy', 'blind/format'])
    t.equal(typeof metrics.findLast(entry => name in entry)?.[name], 'number', name)
})

t.test('the shipped model has the form, is blind at chance, and can be trained', async t => {
  const shipped = join(folder, 'shipped')
  t.match(
    await stage(
      'questions',
      [`out=${shipped}`, 'questions=4', 'tests=16', 'testSeed=1'],
      join(shipped, 'r1'),
    ),
    done,
  )
  const set = [`data=${shipped}`]
  const { metrics, ...tested } = await stage('evaluate', set, join(shipped, 'r2'))
  t.match(tested, done)
  const last = (name: string) => metrics.findLast(entry => name in entry)?.[name]
  t.ok(last('seen/format') > 0.7, `format ${last('seen/format')}`)
  t.ok(last('blind/accuracy') <= 0.35, `blind ${last('blind/accuracy')}`)
  const run = await stage('grpo', [...set, 'steps=2', 'questions=8'], join(shipped, 'r3'))
  t.match(run, { ...done, metrics: [{ step: 1 }, { step: 2 }] })
  for (const { grad_norm, ...means } of run.metrics) {
    t.ok(grad_norm > 0)
    t.ok(means['rewards/format'] > 0.5, `format ${means['rewards/format']}`)
  }
})

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { startRun } from '../../../engine/run/run.ts'
import { operators, resources } from '../../../operators/index.ts'
import { repository } from '../../fixtures.ts'

const folder = t.testdir()

async function runGraph(file: string, set: readonly string[], text?: string) {
  const plan = loadGraph(file, { operators, resources }, { set, ...(text ? { read: () => text } : {}) })
  const directory = join(folder, `run-${++runs}`)
  const summary = await startRun(plan, { seed: 0, directory }).done
  const metrics = text
    ? []
    : readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
  return { ...summary, metrics }
}
let runs = 0

const set = (rows: string) => ({
  [rows]: { operator: 'shapes.clips', config: { count: 4, frames: 4, questions: 1, rows, folder: rows } },
  [`${rows}Files`]: { operator: 'video.encode', config: { folder }, from: { clips: `${rows}.clips` } },
  [`${rows}Lines`]: {
    operator: 'write.jsonl',
    config: { path: join(folder, `${rows}.jsonl`) },
    from: { items: `${rows}Files.rows` },
  },
})
const sizes = {
  visionHidden: 16,
  visionIntermediate: 32,
  visionHeads: 2,
  hidden: 32,
  intermediate: 48,
  layers: 1,
}
const model = { operator: 'model.random', config: { folder, ...sizes } }
const recipe = { version: 1, summary: 'A test.', nodes: { ...set('captions'), ...set('thoughts'), model } }

t.test('a small data set and model are made', async t => {
  t.match(await runGraph('test.json', [], JSON.stringify(recipe)), { status: 'completed', leaked: 0 })
})

for (const [graph, rows, settings, rates] of [
  ['coldstart', 'thoughts', ['accumulation=2', 'steps=2'], [1e-5, 1e-5]],
  ['pretrain', 'captions', ['batchSize=2', 'steps=2'], [0, 1e-4]],
  ['finetune', 'captions', ['batchSize=3', 'steps=2'], [0, 2e-5]],
] as const) {
  t.test(`graphs/${graph}.json learns from every conversation once`, async t => {
    const data = [`model=${folder}`, `data=${join(folder, `${rows}.jsonl`)}`, 'frames=4']
    const run = await runGraph(join(repository, `graphs/${graph}.json`), [...data, ...settings])
    t.match(run, { status: 'completed', leaked: 0 })
    t.equal(
      run.metrics.reduce((sum, { examples }) => sum + examples, 0),
      4,
    )
    t.strictSame(
      run.metrics.map(({ learning_rate }) => learning_rate),
      rates,
    )
    for (const { loss, grad_norm, tokens } of run.metrics) t.ok(loss > 1 && grad_norm > 0 && tokens > 0)
  })
}

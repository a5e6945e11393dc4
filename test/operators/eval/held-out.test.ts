import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EMPTY } from 'rxjs'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { reportOf } from '../../../engine/view/report.ts'
import { operators, resources } from '../../../operators/index.ts'
import type { Group } from '../../../operators/kinds.ts'
import { groupPort } from '../../../operators/ports.ts'
import { repository } from '../../fixtures.ts'
import { groupOf } from '../group.ts'

const folder = t.testdir({})
const registry = { operators, resources }
const small = {
  visionHidden: 16,
  visionIntermediate: 32,
  visionHeads: 2,
  hidden: 32,
  intermediate: 48,
  layers: 1,
}
const set = (rows: string, seed: number) => ({
  [rows]: { operator: 'shapes.clips', config: { count: 4, frames: 4, questions: 1, seed, folder: rows } },
  [`${rows}Files`]: { operator: 'video.encode', config: { folder }, from: { clips: `${rows}.clips` } },
  [`${rows}Lines`]: {
    operator: 'write.jsonl',
    config: { path: join(folder, `${rows}.jsonl`) },
    from: { items: `${rows}Files.rows` },
  },
})

async function run(file: string, given: readonly string[], name: string, graph?: object) {
  const read = graph && { read: () => JSON.stringify(graph) }
  const directory = join(folder, name)
  const { status, error, leaked } = await startRun(loadGraph(file, registry, { set: given, ...read }), {
    seed: 0,
    directory,
  }).done
  t.match({ status, leaked }, { status: 'completed', leaked: 0 }, error?.message ?? '')
  return directory
}

t.test('a small model and questions are made', async () => {
  const model = { operator: 'model.random', config: { folder, ...small } }
  const nodes = { ...set('train', 1), ...set('test', 2), model }
  await run('test.json', [], 'made', { version: 1, summary: 'A test.', nodes })
})

t.test('training is evaluated after each `every` updates, and the best checkpoint stays', async t => {
  const file = join(repository, 'graphs/presets/evaluated.json')
  const data = [
    `model=${folder}`,
    `data=${join(folder, 'train.jsonl')}`,
    `heldOut=${join(folder, 'test.jsonl')}`,
  ]
  const sizes = ['steps=5', 'epochs=0', 'frames=4', 'group=2', 'maxNewTokens=8', 'patience=0']
  const often = ['evaluateEvery=2', 'evaluateQuestions=3', 'checkpointEvery=2', 'checkpoints=1']
  const directory = await run(file, [...data, ...sizes, ...often], 'run')
  const lines = (name: string): Record<string, number>[] =>
    readFileSync(join(directory, `${name}.jsonl`), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
  const evaluated = lines('metrics').filter(line => 'eval/accuracy' in line)
  t.same(
    lines('metrics').map(({ step, ...line }) => [step, 'eval/accuracy' in line]),
    [1, 2, 2, 3, 4, 4, 5].map((step, i, all) => [step, all[i - 1] === step]),
    'in turn with the updates, none of which comes in between',
  )
  for (const line of evaluated)
    for (const name of ['accuracy', 'format', 'reward', 'finished', 'length'])
      t.ok(Number.isFinite(line[`eval/${name}`]), name)
  t.equal(lines('held-out').length, 6)
  t.equal(lines('samples').length, 10, 'questions of training alone')
  const pictures = new Set(lines('samples').map(line => String(line.frames)))
  t.same(
    readdirSync(join(directory, 'frames'))
      .sort()
      .map(name => `frames/${name}`),
    [...pictures].sort(),
    'a picture for each clip that was learned from',
  )
  const page = await reportOf(directory)
  t.equal(
    new Set(page.match(/\/9j\/[\w+/=]{100,}/g)).size,
    pictures.size,
    'what the model saw, each picture once',
  )
  const kept = readdirSync(join(directory, 'checkpoints')).filter(name => /^\d+$/.test(name))
  const [first = Number.NaN, second = Number.NaN] = evaluated.map(line => line['eval/accuracy'])
  t.same(kept.map(Number), second > first ? [4, 5] : [2, 5], 'the best and the newest')
})

t.test('answers that nothing was asked for are an error', async t => {
  const nodes = {
    answers: { operator: 'test.answers' },
    heldOut: { operator: 'eval.held-out', from: { groups: 'answers.groups', versions: 'answers.versions' } },
  }
  const answers = operator({
    summary: 'Gives an answer to no question.',
    config: {},
    inputs: {},
    outputs: { groups: groupPort, versions: 'version' },
    run: (_inputs, _config, context) => ({
      groups: context.source<Group>(async function* () {
        yield { key: 'row 2', value: groupOf([{ reward: 1 }]) }
      }),
      versions: EMPTY,
    }),
  })
  const more = { ...registry, operators: { ...operators, 'test.answers': answers } }
  const text = JSON.stringify({ version: 1, summary: 'A test.', nodes })
  const plan = loadGraph('test.json', more, { read: () => text })
  const { status, error } = await startRun(plan, { seed: 0, directory: join(folder, 'wrong') }).done
  t.equal(status, 'failed')
  t.match(error?.message, /sample row 2: must come from eval\.every/)
})

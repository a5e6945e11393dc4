import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeEmbedded } from '../../../engine/cli/embedded.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { planMemory } from '../../../engine/graph/memory.ts'
import { startRun } from '../../../engine/run/run.ts'
import { resolvePath } from '../../../operators/builtin.ts'
import { operators, resources } from '../../../operators/index.ts'
import { openTokenizer } from '../../../operators/model/checkpoint/tokenizer.ts'
import { assumedTokens } from '../../../operators/model/sizes.ts'
import { promptOf, thinkThenAnswer } from '../../../operators/text/prompt.ts'
import { templates } from '../../../operators/text/template.ts'
import { repository } from '../../fixtures.ts'

t.setTimeout(180_000) // runs of software adapters

const registry = { operators, resources }
const grpo = join(repository, 'graphs/grpo.json')
const embedded = ['model=builtin:shapes', 'data=builtin:shapes/train.jsonl']
await makeEmbedded(loadGraph(grpo, registry, { set: embedded }), registry, () => {})

/** A question whose prompt has as many tokens of text as estimates assume, or just less. */
const tokenizer = await openTokenizer(resolvePath('builtin:shapes'))
const wording = { instruction: thinkThenAnswer, joint: ' ' }
const tokensOf = (question: string) =>
  promptOf(tokenizer, templates.qwen2_base, question, wording).ids.length - 1
let question = 'where does the square go?'
while (tokensOf(`${question} left`) <= assumedTokens) question += ' left'
const data = join(t.testdir(), 'questions.jsonl')
const row = { problem: question, solution: '<answer> A </answer>', video_filename: './clips/00.mp4' }
writeFileSync(data, `${JSON.stringify(row)}\n`)

const sizes = [
  { group: 2, maxNewTokens: 8, frames: 1 },
  { group: 4, maxNewTokens: 32, frames: 8 },
  { group: 8, maxNewTokens: 48, frames: 16 },
  { group: 4, maxNewTokens: 32, frames: 8, 'nodes.groups.config.slots': 3 },
]
for (const size of sizes) {
  t.test(`the estimate covers the peak of ${JSON.stringify(size)}, by half at most`, async t => {
    // A plan for `auto` is one for matrix units, which the adapter of tests has not.
    const settings = {
      ...size,
      precision: 'float32',
      data,
      model: 'builtin:shapes',
      root: 'builtin:shapes',
      steps: 1,
    }
    const set = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
    const plan = loadGraph(grpo, registry, { set })
    const directory = t.testdir()
    t.match(await startRun(plan, { seed: 0, directory }).done, { status: 'completed' })
    const { gauges } = JSON.parse(readFileSync(join(directory, 'status.json'), 'utf8'))
    const [peak, { bytes }] = [gauges['gpu peak bytes'], planMemory(plan)]
    t.comment(`estimate ${bytes}, peak ${peak}: ${(bytes / peak).toFixed(2)}`)
    t.ok(bytes >= peak, `${bytes} cover ${peak}`)
    t.ok(bytes <= 1.5 * peak, `${bytes} are no more than half above ${peak}`)
  })
}

const model = 'builtin:shapes'
const video = join(resolvePath(model), 'clips/00.mp4')
const precision = 'float32'
for (const [graph, settings] of [
  ['infer', { model, video, question, frames: 8, maxNewTokens: 64 }],
  ['examples/judge', { model, judge: model, questions: 2, 'resources.judge.config.precision': precision }],
] as const)
  t.test(`the plan of ${graph} covers its peak`, async t => {
    const set = Object.entries({ ...settings, 'resources.model.config.precision': precision })
    const plan = loadGraph(join(repository, `graphs/${graph}.json`), registry, {
      set: set.map(([name, value]) => `${name}=${value}`),
    })
    const directory = t.testdir()
    t.match(await startRun(plan, { seed: 0, directory }).done, { status: 'completed' })
    const { gauges } = JSON.parse(readFileSync(join(directory, 'status.json'), 'utf8'))
    const [peak, { bytes }] = [gauges['gpu peak bytes'], planMemory(plan)]
    t.comment(`estimate ${bytes}, peak ${peak}: ${(bytes / peak).toFixed(2)}`)
    t.ok(bytes >= peak, `${bytes} cover ${peak}`)
  })

t.test('every operator that computes with a model plans the memory of it', t => {
  // One decodes clips to the size that a model wants, the other needs its tokenizer.
  const readers = ['video.sample', 'group.texts']
  const planless = Object.entries(operators).flatMap(([name, { config, memory }]) => {
    const hasModel = Object.values(config).some(field => 'resource' in field && field.resource === 'model')
    return hasModel && !memory ? [name] : []
  })
  t.same(planless.sort(), readers.sort())
  t.end()
})

t.test('adapters of the released size are planned within 24 GB', t => {
  const folder = t.testdir()
  copyFileSync(resolvePath('builtin:configurations/released.json'), join(folder, 'config.json'))
  const published = ['frames=16', 'group=8', 'maxNewTokens=360']
  const policy = 'resources.policy.config'
  const set = [`model=${folder}`, ...published, `${policy}.precision=float16`, `${policy}.recompute=mlp`]
  const { bytes, unknown } = planMemory(
    loadGraph(join(repository, 'graphs/presets/lora.json'), registry, { set }),
  )
  // data that nobody has made yet decides no memory
  t.same(
    unknown.filter(({ part }) => part !== 'samples'),
    [],
  )
  t.ok(bytes < 24e9, `${bytes}`)
  t.ok(bytes > 7e9 + 5e9, 'weights and the copies with adapters that steps read are counted')
  t.end()
})

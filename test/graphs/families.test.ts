// A model of each other family goes through the graphs as a user runs them: training, adapters, conversations, evaluation.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { featuresOf } from '../../kernels/networks/shape.ts'
import { openAdapter } from '../../operators/model/checkpoint/adapter-files.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { templates } from '../../operators/text/template.ts'
import { fixture, repository } from '../fixtures.ts'
import { flowWords, runGraph } from './flow-words.ts'

t.setTimeout(800_000)

/** How a prompt about two frames of a clip begins. */
const families = {
  smolvlm: /^<\|im_start\|>User: You are provided .* of two frames .* from 00:03:.*\nIn which direction/s,
  internvl:
    /^<\|im_start\|>user\nFrame1: <img><image><\/img>\nFrame2: <img><image><\/img>\nIn which direction/,
  qwen25vl:
    /^<\|im_start\|>system\nYou are .*<\|im_start\|>user\n<\|vision_start\|><image><\|vision_end\|>In which/s,
  qwen3vl: /^<\|im_start\|>user\n<\|vision_start\|><2\.0 seconds><\|vision_start\|><image>/,
}

const linesOf = (...path: string[]) =>
  readFileSync(join(...path), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

for (const [family, beginning] of Object.entries(families)) {
  const model = fixture(join('families', family))
  const small = { model, frames: 2, 'resources.optimizer.config.learningRate': 0.01 }
  const grpo = { ...small, data: 'builtin:shapes/train.jsonl', steps: 3, group: 2, maxNewTokens: 6 }

  t.test(`${family}: three updates of GRPO, and the same after a stop`, async t => {
    const [whole, stopped] = [join(t.testdir({}), 'whole'), join(t.testdirName, 'stopped')]
    const run = await runGraph('grpo.json', whole, { ...grpo, checkpointEvery: 1 })
    t.equal(run.code, 0, run.text)
    const metrics = linesOf(whole, 'metrics.jsonl')
    t.equal(metrics.length, 3)
    t.ok(metrics[2].kl > 0, 'the policy moves')

    cpSync(whole, stopped, { recursive: true, verbatimSymlinks: true })
    rmSync(join(stopped, 'checkpoints/000003'), { recursive: true })
    const manifest = readFileSync(join(whole, 'manifest.json'), 'utf8')
    writeFileSync(
      join(stopped, 'manifest.json'),
      manifest.replace('"status": "completed"', '"status": "stopped"'),
    )
    const rest = await flowWords(['run', '--resume', stopped])
    t.equal(rest.code, 0, rest.text)
    const weights = (of: string) => readFileSync(join(of, 'checkpoints/000003/policy/model.safetensors'))
    t.ok(weights(stopped).equals(weights(whole)), 'the same weights to the bit')
    t.notOk(weights(whole).equals(readFileSync(join(model, 'model.safetensors'))), 'and new ones')
    t.equal(linesOf(stopped, 'metrics.jsonl')[2].loss, metrics[2].loss)
  })

  t.test(`${family}: GRPO of an adapter`, async t => {
    const directory = join(t.testdir({}), 'run')
    const run = await runGraph('presets/lora.json', directory, { ...grpo, lora: 4 })
    t.equal(run.code, 0, run.text)
    const checkpoint = await openCheckpoint(model)
    const adapter = await openAdapter(join(directory, 'checkpoints/000003/policy/adapter'), checkpoint)
    t.equal(adapter.targets.length, 7 * checkpoint.config.language.network.layers)
  })

  t.test(`${family}: conversations are learned in its own words`, async t => {
    const directory = join(t.testdir({}), 'run')
    const few = { ...small, steps: 4, accumulation: 1, 'nodes.samples.config.limit': 4 }
    const run = await runGraph('coldstart.json', directory, few)
    t.equal(run.code, 0, run.text)
    const losses = linesOf(directory, 'metrics.jsonl').map(({ loss }) => loss)
    t.equal(losses.length, 4)
    t.ok(losses[3] < losses[0], losses.join(' '))
  })

  t.test(`${family}: a benchmark is asked in its own words`, async t => {
    const out = join(t.testdir({}), 'results')
    const data = fixture('benchmarks/Video-MME')
    const set = { model, data, out, frames: 2, maxNewTokens: 4, limit: 1 }
    const run = await runGraph('eval/video-mme.json', join(t.testdirName, 'run'), set)
    t.equal(run.code, 0, run.text)
    const [{ prompt, tokens }] = linesOf(out, 'results.jsonl')
    t.match(prompt, beginning)
    t.ok(tokens > 0)
  })

  t.test(`${family}: questions see different frames of a clip that is decoded once`, async t => {
    const out = join(t.testdir({}), 'results')
    const data = fixture('benchmarks/Video-MME')
    const set = { model, data, out, frameCounts: '[2,3]', maxNewTokens: 4, limit: 1 }
    const run = await runGraph('eval/video-mme.json', join(t.testdirName, 'run'), set)
    t.equal(run.code, 0, run.text)
    for (const count of [2, 3]) {
      const [{ indices, tokens }] = linesOf(out, `frames-${count}`, 'results.jsonl')
      t.equal(indices.length, count)
      t.ok(tokens > 0)
    }
  })

  t.test(`${family}: the words of frames count in the plan of memory`, async t => {
    const cacheOf = async (frames: number) => {
      const set = ['--set', `model=${model}`, '--set', `frames=${frames}`]
      const { code, text } = await flowWords(['explain', join(repository, 'graphs/grpo.json'), ...set])
      t.equal(code, 0, text)
      const [, size, unit] = /KV cache +([\d.]+) (kB|MB)/.exec(text) ?? []
      return Number(size) * (unit === 'MB' ? 1e3 : 1)
    }
    const { language, connector, vision, template } = (await openCheckpoint(model)).config
    const { layers, keyValueHeads, headSize } = language.network
    const { frameWords } = templates[template]
    const positions = connector.network.visualTokens(featuresOf(vision.network, 32)) + 32 * frameWords
    // Keys and values of heads this narrow are kept in float32.
    const bytes = positions * 2 * layers * keyValueHeads * headSize * 4
    const added = (await cacheOf(40)) - (await cacheOf(8))
    t.equal(frameWords > 0, family !== 'qwen25vl', 'it has times as positions, not as words')
    // Three digits are printed.
    t.ok(Math.abs(added - bytes / 1e3) < Math.max(1, 0.005 * added), `${added} kB, wanted ${bytes / 1e3}`)
  })
}

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { resolvePath } from '../../operators/builtin.ts'
import { openAdapter } from '../../operators/model/checkpoint/adapter-files.ts'
import { openCheckpoint } from '../../operators/model/checkpoint/checkpoint.ts'
import { runGraph } from './flow-words.ts'

const folder = t.testdir({})

t.test('GRPO of an adapter on the embedded model, and the checkpoint that it merges to', async t => {
  const directory = join(folder, 'run')
  const small = { steps: 3, group: 2, frames: 2, maxNewTokens: 6, lora: 4, alpha: 8, learningRate: 0.01 }
  const run = await runGraph('presets/lora.json', directory, small)
  t.equal(run.code, 0, run.text)
  const lines = readFileSync(join(directory, 'metrics.jsonl'), 'utf8').trim().split('\n')
  const [first, second, third] = lines.map(line => JSON.parse(line).kl)
  t.equal(first, 0, 'a new adapter is the reference')
  t.equal(second, 0, 'the warm-up begins with a rate of 0')
  t.ok(third > 0, 'then the policy moves and the reference stays')

  const policy = join(directory, 'checkpoints', '000003', 'policy')
  t.same(readdirSync(policy).sort(), ['adapter', 'state.json'], 'the frozen weights are not copied')
  const checkpoint = await openCheckpoint(resolvePath('builtin:cold-start'))
  const adapter = await openAdapter(join(policy, 'adapter'), checkpoint)
  t.match(adapter, { rank: 4, alpha: 8 })
  t.equal(adapter.targets.length, 7 * checkpoint.config.language.network.layers)

  const merged = join(folder, 'merged')
  const words = { adapter: directory, folder: merged } // the run holds its adapter
  const merge = await runGraph('merge.json', join(folder, 'merge'), words)
  t.equal(merge.code, 0, merge.text)
  t.same([...(await openCheckpoint(merged)).tensors], [...checkpoint.tensors], 'the same names and types')
  t.ok(existsSync(join(merged, 'config.json')))
  const bytes = (of: string) => readFileSync(join(of, 'model.safetensors'))
  t.notOk(bytes(merged).equals(bytes(checkpoint.folder)), 'and other weights')
})

// Weights that several learners train together, of the embedded models. FLOW_ALL=1 tries more numbers of learners.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { notFreed } from '../../../engine/shared/not-freed.ts'
import { flowRun, needServer } from '../over/processes.ts'

t.setTimeout(800_000)

const home = t.testdir({})

/** Trains and returns the bytes of the tensors that the file of the last checkpoint holds. */
async function train(
  name: string,
  graph: string,
  settings: readonly string[],
  learners: number,
  file: string,
  flags: readonly string[] = [],
) {
  const out = join(home, name)
  const more = ['--seed', '1', '--learners', String(learners), ...flags]
  await flowRun(graph, { out, set: ['frames=2', 'checkpointEvery=0', ...settings], more })
  const checkpoints = join(out, 'checkpoints')
  const [last = ''] = readdirSync(checkpoints).filter(name => /^\d+$/.test(name))
  const bytes = readFileSync(join(checkpoints, last, file))
  const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n')
  return {
    tensors: bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))),
    losses: lines.map((line): number => JSON.parse(line).loss),
  }
}

/** |a − b| / |a| over all numbers. */
function gap(a: Buffer, b: Buffer): number {
  const [x, y] = [a, b].map(bytes => new Float32Array(new Uint8Array(bytes).buffer))
  if (x?.length !== y?.length || !x || !y) return Number.POSITIVE_INFINITY
  const norm = (list: Float32Array) => Math.sqrt(list.reduce((sum, value) => sum + value ** 2, 0))
  return norm(x.map((value, i) => value - (y[i] ?? 0))) / norm(x)
}

const sft = ['steps=2', 'accumulation=3', 'learningRate=1e-3', 'nodes.samples.config.limit=6']

for (const [what, settings, file] of [
  ['the adapter', [...sft, 'lora=4'], 'model/adapter/adapter_model.safetensors'],
  ['all weights', sft, 'model/exact/weights.safetensors'],
] as const) {
  if (what === 'all weights' && !process.env.FLOW_ALL) continue
  t.test(`a fine-tuning by several learners gives ${what} of one but for rounding`, async t => {
    const supervised = (name: string, learners: number) =>
      train(`${name} of ${what}`, 'graphs/coldstart.json', settings, learners, file)
    const one = await supervised('one', 1)
    t.equal(one.losses.length, 2)
    for (const learners of process.env.FLOW_ALL ? [2, 3] : [2]) {
      const several = await supervised(`several-${learners}`, learners)
      const apart = gap(one.tensors, several.tensors)
      t.ok(apart < 1e-5, `weights are ${apart} apart`)
      const gaps = several.losses.map((loss, i) => Math.abs(loss - (one.losses[i] ?? 9)))
      t.ok(Math.max(...gaps) < 1e-5, `losses are ${gaps.join(', ')} apart`)
    }
  })
}

const grpo = [
  'steps=4',
  'group=2',
  'maxNewTokens=8',
  'learningRate=1e-3',
  'nodes.frames.config.sheetWidth=0',
  'nodes.update.config.groupsPerUpdate=2',
  'nodes.groups.from.weights.maxLag=1',
  'resources.optimizer.config.steps=2',
]
const logOf = (path: string): string => readFileSync(path, 'utf8')
const policy = 'policy/model.safetensors'
const reinforced = (name: string, learners: number, flags: readonly string[] = []) =>
  train(name, 'graphs/grpo.json', grpo, learners, policy, flags)

t.test(
  '2 learners with a GPU each, and workers beside them, give what 2 learners give, bit for bit',
  async t => {
    needServer(t)
    const two = await reinforced('two', 2)
    t.equal(two.losses.length, 2)
    const again = await reinforced('again', 2, ['--gpus', '0,0'])
    t.ok(two.tensors.equals(again.tensors))
    t.same(two.losses, again.losses)
    const logs = ['log.jsonl', 'learners/2/log.jsonl'].map(path => logOf(join(home, 'again', path)))
    for (const log of logs)
      t.equal(log.match(/features in files: 1 read/g)?.length, 2, 'each reads those of its share')
    t.notMatch(logOf(join(home, 'two', 'log.jsonl')), /features in files/, 'its own groups lie in no file')
    for (const log of logs) t.notMatch(log, notFreed)
    t.notOk(existsSync(join(home, 'again', 'over/values')), 'no file is left')
    if (!process.env.FLOW_ALL) return
    const one = await reinforced('alone', 1)
    const apart = gap(one.tensors, two.tensors)
    t.ok(apart > 0 && apart < 1e-6, `${apart} from the weights of one`)
  },
)

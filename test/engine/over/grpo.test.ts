// GRPO with one learner and several rollout workers: the final weights depend on maxLag, and on nothing else.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { flowRun, needServer } from './processes.ts'

t.setTimeout(900_000)

/** Digest of the weights of the last checkpoint, and what each update measured but its times. */
function outcomeOf(run: string) {
  const checkpoints = join(run, 'checkpoints')
  const last =
    readdirSync(checkpoints)
      .filter(name => /^\d+$/.test(name))
      .sort()
      .at(-1) ?? ''
  const weights = readFileSync(join(checkpoints, last, 'policy/model.safetensors'))
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n')
  const metrics = lines.map(line => {
    const entry: Record<string, unknown> = JSON.parse(line)
    return Object.fromEntries(Object.entries(entry).filter(([name]) => !/seconds$|per_second$/.test(name)))
  })
  return { weights: createHash('sha256').update(weights).digest('hex'), metrics }
}

const settings = (lag: number) => [
  'steps=6',
  'group=2',
  'frames=2',
  'maxNewTokens=8',
  'checkpointEvery=0',
  'nodes.frames.config.sheetWidth=0',
  `nodes.groups.from.weights.maxLag=${lag}`,
]

/** Numbers of workers for each maxLag: a few, because each run takes seconds; FLOW_ALL=1 tries all of 1, 2 and 3. */
const tried: readonly (readonly [lag: number, workers: readonly number[]])[] = [
  [0, [2]],
  [1, [1, 3]],
  [4, [2]],
]

const seen = new Set<string>()
for (const [lag, some] of tried) {
  const counts = process.env.FLOW_ALL ? [1, 2, 3] : some
  t.test(
    `with maxLag ${lag} the weights after ${counts.join(' and ')} workers are those of one process`,
    async t => {
      needServer(t)
      const home = t.testdir({})
      const run = async (name: string, more: readonly string[]) => {
        await flowRun('graphs/grpo.json', {
          out: join(home, name),
          set: settings(lag),
          more: ['--seed', '1', ...more],
        })
        return outcomeOf(join(home, name))
      }
      const alone = await run('alone', [])
      t.equal(alone.metrics.length, 6)
      t.same(
        alone.metrics.map(({ policy_lag }) => policy_lag),
        alone.metrics.map((_, i) => Math.min(i, lag)),
      )
      for (const workers of counts)
        t.same(await run(`with-${workers}`, ['--workers', String(workers)]), alone, `${workers} workers`)
      seen.add(alone.weights)
    },
  )
}

t.test('another maxLag gives other weights', async t => {
  t.equal(seen.size, 3)
})

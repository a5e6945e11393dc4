// GRPO with one learner and several rollout workers: the final weights depend on maxLag, and on nothing else.
import { join } from 'node:path'
import t from 'tap'
import { outcomeOf } from './outcome.ts'
import { flowRun, needServer } from './processes.ts'

t.setTimeout(800_000)

const settings = (lag: number) => [
  'steps=6',
  'group=2',
  'frames=2',
  'maxNewTokens=8',
  'checkpointEvery=0',
  'nodes.frames.config.sheetWidth=0',
  `nodes.groups.from.weights.maxLag=${lag}`,
]

/**
 * Tests that the weights with some numbers of workers are those of one process. Each run takes seconds, so a file tries one
 * number; FLOW_ALL=1 tries 1, 2 and 3.
 */
export function tryWorkers(lag: number, workers: number): void {
  const counts = process.env.FLOW_ALL ? [1, 2, 3] : [workers]
  t.test(
    `with maxLag ${lag} the weights with ${counts.join(', ')} workers are those of one process`,
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
      t.same(
        alone.metrics.map(({ policy_lag }) => policy_lag),
        [0, 1, 2, 3, 4, 5].map(i => Math.min(i, lag)),
      )
      for (const count of counts)
        t.same(await run(`with-${count}`, ['--workers', String(count)]), alone, `${count} workers`)
    },
  )
}

// What graphs/grpo.json promises: with its defaults the rewards rise. It is the reward for thinking and answering in tags that 144
// updates raise beyond chance; the share of right answers does not move in so few. Other processors round otherwise and draw other
// answers, so this is tried with FLOW_ALL=1 only.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { repository } from '../fixtures.ts'
import { flowWords } from './flow-words.ts'
import { rise } from './rise.ts'

t.setTimeout(1_500_000)

t.test('equal lists have not risen, higher ones have', async t => {
  t.equal(rise([0, 1, 0, 1], [1, 0, 1, 0]), 0)
  t.ok(rise([0, 1, 0, 1], [2, 3, 2, 3]) > 4)
})

t.test(
  'graphs/grpo.json learns: the format reward of the last third of the updates is above that of the first',
  { skip: process.env.FLOW_ALL ? false : 'FLOW_ALL=1 trains for minutes' },
  async t => {
    const directory = join(t.testdir({}), 'run')
    const graph = join(repository, 'graphs/grpo.json')
    const set = ['--set', 'checkpointEvery=0', '--seed', '1', '--out', directory]
    const { code, text } = await flowWords(['run', graph, ...set])
    t.equal(code, 0, text)
    const rewards = readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { 'rewards/format': number })['rewards/format'])
    const third = Math.floor(rewards.length / 3)
    const found = rise(rewards.slice(0, third), rewards.slice(-third))
    t.ok(
      found > 3,
      `${rewards.length} updates: it rose by ${found.toFixed(1)} standard errors; 3 come by chance once in 700 runs`,
    )
  },
)

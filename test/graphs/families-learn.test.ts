// Three updates teach a model of each other family something: with random weights, what GRPO rewards becomes more frequent, and a
// cold start makes its conversations likelier. Without a learning rate neither happens.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { fixture } from '../fixtures.ts'
import { runGraph } from './flow-words.ts'
import { rise } from './rise.ts'

t.setTimeout(800_000)

/** Parsed lines of a file of a run. */
function linesOf<Line>(...path: string[]): Line[] {
  const lines = readFileSync(join(...path), 'utf8')
    .trim()
    .split('\n')
  return lines.map(line => JSON.parse(line) as Line)
}

/** The rewards of one question's 64 completions before each of four updates. */
async function rewardsOf(t: Test, set: Record<string, string | number>): Promise<number[][]> {
  const directory = join(t.testdir({}), 'run')
  const { code, text } = await runGraph('controls/vowels.json', directory, set)
  t.equal(code, 0, text)
  const lines = linesOf<{ step: number; reward: number }>(directory, 'samples.jsonl')
  const steps = [1, 2, 3, 4].map(step => lines.filter(line => line.step === step))
  return steps.map(all => all.map(({ reward }) => reward))
}

/** The losses of four updates, each of 4 conversations that were not seen before. */
async function lossesOf(t: Test, set: Record<string, string | number>): Promise<number[]> {
  const directory = join(t.testdir({}), 'run')
  const few = { frames: 2, steps: 4, accumulation: 4, 'nodes.samples.config.limit': 16 }
  const { code, text } = await runGraph('coldstart.json', directory, { ...few, ...set })
  t.equal(code, 0, text)
  return linesOf<{ loss: number }>(directory, 'metrics.jsonl').map(({ loss }) => loss)
}

for (const family of ['smolvlm', 'internvl', 'qwen25vl', 'qwen3vl']) {
  const model = fixture(join('families', family))

  t.test(`${family}: after three updates of GRPO its completions have more vowels`, async t => {
    const rewards = await rewardsOf(t, { model })
    t.same(
      rewards.map(({ length }) => length),
      [64, 64, 64, 64],
    )
    const found = rise(rewards[0] ?? [], rewards[3] ?? [])
    t.ok(found > 10, `it rose by ${found.toFixed(1)} standard errors; by chance not even by 5`)
  })

  t.test(`${family}: each update of a cold start lowers the loss of the next conversations`, async t => {
    const losses = await lossesOf(t, { model, learningRate: 0.01 })
    t.equal(losses.length, 4)
    const [first = 0, second = 0, third = 0, fourth = 0] = losses
    t.ok(second < first && third < second && fourth < third, losses.join(' '))
    t.ok(fourth < 0.75 * first, 'by more than a quarter in all')
  })
}

t.test('without a learning rate there is no such rise, and no such fall', async t => {
  const set = { model: fixture('families/smolvlm'), learningRate: 0 }
  const rewards = await rewardsOf(t, set)
  t.ok(Math.abs(rise(rewards[0] ?? [], rewards[3] ?? [])) < 4)
  const losses = await lossesOf(t, set)
  t.ok(Math.max(...losses) < 1.1 * Math.min(...losses), losses.join(' '))
})

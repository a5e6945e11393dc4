import t from 'tap'
import advantage, { groupAdvantages, groupStatistics } from '../../../operators/grpo/advantage.ts'
import { normals } from '../../../operators/grpo/normals.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

/** The largest distance of a number from its expected value. */
const worst = (found: readonly number[], expected: readonly number[]) =>
  Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))))

t.test('advantages of the published example', async t => {
  const rewards = [1.6, 1.6, -0.55, -2, 1.6, -0.6, 1.0, -2.0]
  const { mean, standardDeviation } = groupStatistics(rewards)
  t.ok(worst([mean, standardDeviation], [0.08125, 1.571609]) < 1e-6)
  const expected = [0.966305, 0.966305, -0.401633, -1.324195, 0.966305, -0.433445, 0.584555, -1.324195]
  t.ok(worst(groupAdvantages(rewards, 1e-4), expected) < 1e-6)
})

t.test('equal rewards have no advantage', async t => {
  t.strictSame(groupAdvantages([1.5, 1.5, 1.5, 1.5], 1e-4), [0, 0, 0, 0])
})

t.test('without noise the operator gives the plain advantages', async t => {
  const group = groupOf([{ reward: 1.6 }, { reward: -2 }])
  const input = { port: 'groups', values: [group], seed: 5 }
  const found = await runOver(advantage, { epsilon: 1e-4, noise: 0 }, input, 'groups')
  t.match(found, [{ completions: [{ advantage: 0.7070790044999411 }, { advantage: -0.7070790044999411 }] }])
})

t.test("the noise follows the item's seed alone", async t => {
  const group = groupOf([{ reward: 1 }, { reward: 1 }])
  const config = { epsilon: 1e-4, noise: 0.02 }
  const draw = (seed: number) =>
    runOver(advantage, config, { port: 'groups', values: [group], seed }, 'groups')
  const [first] = normals(5, 1)
  t.match(await draw(5), [{ completions: [{ advantage: 0.02 * (first ?? 0) }, {}] }])
  t.strictSame(await draw(5), await draw(5))
  t.notSame(await draw(5), await draw(6))
})

t.test('a completion without reward is an error that says what to do', async t => {
  const input = { port: 'groups', values: [groupOf([{ reward: 1 }, {}])], key: 'row 2' }
  await t.rejects(runOver(advantage, { epsilon: 1e-4, noise: 0 }, input, 'groups'), {
    code: 'missing-reward',
    message: 'sample row 2: a completion has no reward; put a reward operator before this node',
  })
})

t.test('a group of one has no deviation', async t => {
  t.throws(() => groupAdvantages([1], 1e-4), {
    code: 'small-group',
    message: /at least 2 completions, got 1$/,
  })
})

t.test('the draws are normal: moments, tails and independence of neighbours', async t => {
  const draws = [1, 2, 3, 4].flatMap(seed => normals(seed, 25_000))
  const mean = (power: (draw: number, i: number) => number) =>
    draws.reduce((sum, draw, i) => sum + power(draw, i), 0) / draws.length
  t.ok(worst([mean(z => z), mean(z => z ** 2), mean(z => z ** 3), mean(z => z ** 4)], [0, 1, 0, 3]) < 0.08)
  t.ok(worst([mean(z => (Math.abs(z) < 1 ? 1 : 0))], [0.6827]) < 0.01)
  t.ok(worst([mean((z, i) => z * (draws[i + 1] ?? 0))], [0]) < 0.015)
  const firsts = Array.from({ length: 20_000 }, (_, seed) => normals(seed, 1)[0] ?? 0)
  t.ok(worst([firsts.reduce((sum, z) => sum + z * z, 0) / firsts.length], [1]) < 0.05)
})

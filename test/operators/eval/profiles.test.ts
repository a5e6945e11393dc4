import { join } from 'node:path'
import t from 'tap'
import { dataOf, evaluate, folders, type Name, truths } from './evaluate.ts'

/** Keys of this object as it declares them. */
for (const name of Object.keys(folders) as Name[]) {
  const asked = truths(name).filter(({ type }) => type === 'multiple-choice')

  t.test(`${name}: a constant scores what the true answers say`, async t => {
    const out = join(t.testdir(), 'out')
    const set = [`data=${dataOf(name)}`, 'answers=constant', 'nodes.evaluation/watch.config.sheetWidth=0']
    const { summary } = await evaluate(name, out, set)
    const right = asked.filter(({ answer, broken }) => answer === 'A' && !broken).length
    t.equal(summary.outcomes.right, right)
    const micro = summary.scores.find(score => score.name === 'micro')
    t.ok(Math.abs((micro?.mean ?? Number.NaN) - right / asked.length) < 1e-12)
    const chance = asked.reduce((sum, { options }) => sum + 1 / options, 0) / asked.length
    t.ok(Math.abs((micro?.chance ?? Number.NaN) - chance) < 1e-12)
  })
}

t.test('the published profile takes the frames that decode of a damaged clip', async t => {
  const out = join(t.testdir(), 'out')
  const set = [`data=${dataOf('mlvu')}`, 'answers=oracle', 'profile=published']
  const { results } = await evaluate('mlvu', out, [...set, 'nodes.evaluation/watch.config.sheetWidth=0'])
  const damaged = results.find(({ id }) => id === 'mlvu/6_anomaly_reco/1')
  t.equal(damaged?.outcome, 'right')
  t.ok(damaged && Math.max(...damaged.indices) < 60)
})

t.test(
  'what cannot be read is drawn the same way each time in the published profile, and counted',
  async t => {
    const folder = t.testdir()
    const set = [
      `data=${dataOf('mlvu')}`,
      'answers=constant',
      'profile=published',
      'nodes.evaluation/watch.config.sheetWidth=0',
    ]
    const set2 = [...set, 'nodes.evaluation/answers.config.output=I do not know.']
    const first = await evaluate('mlvu', join(folder, 'a'), set2)
    const second = await evaluate('mlvu', join(folder, 'b'), set2)
    t.strictSame(first.results, second.results)
    t.equal(first.summary.drawn, first.results.length)
    t.equal(first.summary.unparsedRate, 1)
    t.ok(new Set(first.results.map(({ chosen }) => chosen)).size > 1)
  },
)

import { join } from 'node:path'
import t from 'tap'
import { dataOf, evaluate, folders, type Name, type Truth, truths } from './evaluate.ts'

const isAsked = ({ type }: Truth) => type === 'multiple-choice'
const outcomeOfClip = (broken: string | null) => (broken === 'missing' ? 'clip-missing' : 'clip-damaged')

/** Keys of this object as it declares them. */
for (const name of Object.keys(folders) as Name[]) {
  const all = truths(name)
  const asked = all.filter(isAsked)

  t.test(`${name}: every item is accounted for, and an oracle gets all that can be won`, async t => {
    const out = join(t.testdir(), 'out')
    const set = [`data=${dataOf(name)}`, 'answers=oracle', 'nodes.evaluation/watch.config.sheetWidth=0']
    const { results, summary, run } = await evaluate(name, out, set)
    t.equal(run.leaked, 0)
    t.strictSame(results.map(({ id }) => id).sort(), asked.map(({ id }) => id).sort())
    t.equal(
      summary.excluded.reduce((sum, { count }) => sum + count, 0),
      all.length - asked.length,
    )
    for (const { id, broken, answer } of asked) {
      const result = results.find(one => one.id === id)
      const expected = broken ? outcomeOfClip(broken) : answer === null ? 'unparsed' : 'right'
      t.equal(result?.outcome, expected, id)
      t.equal(result?.answer, answer, `${id}: the true letter`)
    }
    t.equal(summary.unwinnable, asked.filter(({ answer }) => answer === null).length)
    const winnable = summary.scores.find(score => score.name === 'winnable questions only')
    t.equal(winnable?.mean, 1, 'all that can be won')
    t.equal(winnable?.observations, asked.filter(({ answer, broken }) => answer !== null && !broken).length)
  })
}

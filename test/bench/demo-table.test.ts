import t from 'tap'
import { between, type Score, tableOf } from './demo-table.ts'

const score: Score = { seen: 0.955, format: 0.98, blind: 0.25, trainSeconds: 600, testSeconds: 60 }

t.test('a row has one number for each seed, and says which run is missing', t => {
  const table = tableOf([
    { title: 'cold start', seeds: [], scores: [{ ...score, seen: 0.255, trainSeconds: 0 }] },
    { title: 'GRPO', seeds: [1, 2], scores: [score, null] },
    { title: 'random', seeds: [3], scores: [null] },
  ])
  t.same(table.split('\n').slice(2), [
    '| cold start | 25.5 % | 0.980 | 25.0 % | 60 |',
    '| GRPO, seeds 1, 2 | 95.5 % / not run | 0.980 / not run | 25.0 % / not run | 600 + 60 / not run |',
    '| random, seed 3 | not run | not run | not run | not run |',
  ])
  t.end()
})

t.test('text between marks is replaced, and a document without them refused', t => {
  t.equal(between('x', 'a\n<!-- x -->\nold\n<!-- /x -->\nb', 'new'), 'a\n<!-- x -->\nnew\n<!-- /x -->\nb')
  t.throws(() => between('x', 'a\n<!-- /x -->\n<!-- x -->\n', 'new'), { message: /<!-- x -->/ })
  t.end()
})

import t from 'tap'
import { completionSeeds } from '../../../operators/model/seeds.ts'

t.test('each completion has its own seed, whatever the size of the group', async t => {
  const eight = completionSeeds(7, 8)
  t.equal(new Set(eight).size, 8)
  t.same(completionSeeds(7, 3), eight.slice(0, 3))
  t.ok(eight.every(seed => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
})

t.test('neighbouring prompts share no seed', async t => {
  const seeds = [...completionSeeds(7, 100), ...completionSeeds(8, 100)]
  t.equal(new Set(seeds).size, 200)
})

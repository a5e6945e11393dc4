import t from 'tap'
import { Manners } from '../../../engine/over/manners.ts'

/** A worker that works on two orders together, at a time that the test sets. */
function worker() {
  const clock = { now: 0 }
  const manners = new Manners(2, () => clock.now)
  let asked = 0
  const mayTake = (others: number) =>
    manners.mayTake(async () => {
      asked++
      return others
    })
  return { clock, manners, mayTake, asked: () => asked }
}

t.test('a worker takes orders until its hands are full, though other workers ask', async t => {
  const { manners, mayTake, asked } = worker()
  for (const count of [0, 1]) {
    manners.holds(count)
    t.equal(await mayTake(5), true)
  }
  t.equal(asked(), 0)
})

t.test('what it would only prepare it leaves to others for a quarter of the time of an order', async t => {
  const { clock, manners, mayTake } = worker()
  manners.took(100)
  manners.holds(2)
  t.equal(await mayTake(0), false, 'another worker may still be filling its hands')
  clock.now = 24
  manners.holds(3)
  t.equal(await mayTake(0), false, 'one more order does not begin the time again')
  clock.now = 25
  t.equal(await mayTake(1), false, 'another one asks')
  t.equal(await mayTake(0), true)
  manners.holds(1)
  manners.holds(2)
  t.equal(await mayTake(0), false, 'its hands were not full meanwhile')
})

t.test('long orders do not make it wait for long', async t => {
  const { clock, manners, mayTake } = worker()
  manners.took(3_600_000)
  manners.holds(2)
  clock.now = 499
  t.equal(await mayTake(0), false)
  clock.now = 500
  t.equal(await mayTake(0), true)
})

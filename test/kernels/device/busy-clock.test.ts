import t from 'tap'
import { BusyClock } from '../../../kernels/device/busy-clock.ts'

t.test('a GPU is busy from a submit to the result of the last one', async t => {
  let now = 0
  const clock = new BusyClock(() => now)
  const at = (time: number) => {
    now = time
    return clock
  }
  const first = at(1000).submitted()
  t.equal(at(2000).seconds, 1, 'work in progress counts')
  const second = at(3000).submitted()
  at(4000).done(first)
  t.equal(at(5000).seconds, 4, 'later work is still on its way')
  at(6000).done(second)
  t.equal(at(9000).seconds, 5)
  at(9000).done(second)
  t.equal(clock.seconds, 5, 'idle time does not count')
})

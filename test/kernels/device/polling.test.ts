import t from 'tap'
import { gentleImmediate } from '../../../kernels/device/polling.ts'

// A native function without a name, as Dawn's binding makes them.
const native = Object.defineProperty((() => {}).bind(null), 'name', { value: '' })

/** Asks at each of the given times and tells who was given the work. */
function asked(times: readonly number[], work: () => void = native, ...args: unknown[]): string[] {
  const given: string[] = []
  let time = 0
  const ask = gentleImmediate(
    () => given.push('at once'),
    () => given.push('later'),
    () => time,
  )
  for (time of times) ask(work, ...args)
  return given
}

const turns = Array.from({ length: 12 }, (_, i) => i)

t.test('a wait of a few turns is asked about in each turn, a long one after a pause', async t => {
  t.same(asked(turns), [...new Array(9).fill('at once'), ...new Array(3).fill('later')])
})

t.test('a new wait begins with questions at once', async t => {
  t.same(asked([...turns, 100]).at(-1), 'at once')
})

t.test('a pause of the timer does not end a wait', async t => {
  const slow = [...turns, 13, 15, 17]
  t.same(asked(slow).slice(9), new Array(6).fill('later'))
})

t.test('functions of scripts, and calls with arguments, are never put off', async t => {
  t.notOk(asked(turns, () => {}).includes('later'))
  t.notOk(asked(turns, native, 1).includes('later'))
})

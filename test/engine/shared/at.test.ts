import t from 'tap'
import { at } from '../../../engine/shared/at.ts'

t.test('at gives the element, and throws past the ends instead of giving undefined', async t => {
  t.equal(at([7, 8], 1), 8)
  t.equal(at(Float64Array.of(0.5), 0), 0.5)
  t.throws(() => at([7, 8], 2), { message: 'index 2 must be in a list of 2' })
  t.throws(() => at([7, 8], -1), { message: 'index -1 must be in a list of 2' })
})

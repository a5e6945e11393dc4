import { defer, EMPTY, take, tap } from 'rxjs'
import { operator } from '../../engine/operator.ts'
import { keptNumber } from '../kept-number.ts'

/** When it has passed them on it stops what stands before it, as far as nothing else listens there. */
export default operator({
  summary: 'Passes the first items on and ends.',
  config: {
    count: { type: 'integer', minimum: 1, description: 'Items to pass on.' },
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  run: ({ items }, { count }, context) => {
    const passed = keptNumber(context)
    const first = defer(() => {
      if (passed.value >= count) return EMPTY
      return items.pipe(
        take(count - passed.value),
        tap(() => passed.value++),
      )
    })
    return { items: first }
  },
})

import { defer, EMPTY, take, tap } from 'rxjs'
import { operator } from '../../engine/operator.ts'
import { keptNumber } from '../kept-number.ts'

/** After the last of them it stops the nodes before it, unless other nodes use their output. */
export default operator({
  summary: 'Passes on the first items, then ends.',
  config: {
    count: { type: 'integer', minimum: 1, description: 'Items to pass on.' },
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  drops: true,
  marks: () => ({}),
  serial: true,
  makes: ({ count }, items) => Math.min(count, items),
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

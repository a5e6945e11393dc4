import { take } from 'rxjs'
import { operator } from '../../engine/operator.ts'

/** When it has passed them on it stops what stands before it, as far as nothing else listens there. */
export default operator({
  summary: 'Passes the first items on and ends.',
  config: {
    count: { type: 'integer', minimum: 1, description: 'Items to pass on.' },
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  run: ({ items }, { count }) => ({ items: items.pipe(take(count)) }),
})

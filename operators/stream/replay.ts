import { filter, map, toArray } from 'rxjs'
import { operator } from '../../engine/operator.ts'
import { shuffled } from '../shuffle.ts'

/**
 * What is expensive to make, e.g. the features of a clip, is made once. The first pass waits for the last item, so that
 * it is in random order too. Keys are `epoch:key`. No item counts as done before all passes over all are.
 */
export default operator({
  summary: 'Keeps all items and passes them on several times.',
  config: {
    epochs: { type: 'integer', minimum: 1, description: 'Passes over the items.' },
    limit: { type: 'integer', minimum: 0, default: 0, description: 'Items passed on in all; 0 is all.' },
    shuffle: {
      type: 'boolean',
      default: true,
      description: "Random order, another one each epoch; it depends on the run's seed.",
    },
    capacity: {
      type: 'integer',
      minimum: 1,
      default: 4096,
      description: 'Most items that are kept at the same time; with more coming in, the run stands still.',
    },
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  expands: true,
  credits: ({ capacity }) => capacity,
  run: ({ items }, { epochs, limit, shuffle }, context) => {
    const replay = (list: readonly Kept[]) => {
      const passes = Array.from({ length: epochs }, (_, i) => {
        const order = shuffle ? shuffled(list, context.seed, i + 1) : list
        return order.map(({ key, value }) => context.emit(value, { key: `${i + 1}:${key}` }))
      }).flat()
      return limit > 0 ? passes.slice(0, limit) : passes
    }
    const joined = items.pipe(
      toArray(),
      filter(list => list.length > 0),
      map(list => {
        const kept = list.map(({ key, value }): Kept => ({ key, value }))
        const whole = list[0].derive(kept, { parents: list })
        for (const item of list) item.release()
        return whole
      }),
    )
    return { items: joined.pipe(context.each(replay)) }
  },
})

interface Kept {
  key: string
  value: unknown
}

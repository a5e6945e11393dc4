import { filter, map, toArray } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { shuffled } from '../shuffle.ts'

/**
 * For items that are expensive to compute, e.g. the features of a clip. The first pass starts after the last item has
 * arrived, so that it too is in random order. Keys are `epoch:key`. Items count as done when all passes are done.
 */
export default operator({
  summary: 'Keeps all items and emits them several times.',
  config: {
    epochs: { type: 'integer', minimum: 1, description: 'Passes over the items.' },
    limit: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description: 'Items emitted in all passes together; 0 emits all.',
    },
    shuffle: {
      type: 'boolean',
      default: true,
      description: "Random order, a new one in each pass; it depends on the run's seed.",
    },
    capacity: {
      type: 'integer',
      minimum: 1,
      default: 4096,
      description: 'Largest number of items kept at the same time; with more items the run stalls.',
    },
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  drops: true,
  marks: () => ({}),
  expands: true,
  credits: ({ capacity }) => capacity,
  serial: true,
  waitsForEnd: true,
  makes: ({ epochs, limit }, items) => Math.min(limit || Number.POSITIVE_INFINITY, items * epochs),
  run: ({ items }, { epochs, limit, shuffle }, context) => {
    const replay = (list: readonly Kept[]) => {
      const passes = Array.from({ length: epochs }, (_, i) => {
        const order = shuffle ? shuffled(list, context.seed, i + 1) : list
        return order.map(({ key, value, place }) => context.emit(value, { key: `${i + 1}:${key}`, place }))
      }).flat()
      return limit > 0 ? passes.slice(0, limit) : passes
    }
    const joined = items.pipe(
      toArray(),
      filter(list => list.length > 0),
      map(list => {
        const kept = list.map(({ key, value, place }): Kept => ({ key, value, place }))
        const whole = at(list, 0).derive(kept, { parents: list })
        for (const item of list) item.release()
        return whole
      }),
    )
    const leave = (value: unknown, item: Item) => (context.leaves(item) ? undefined : value)
    return { items: joined.pipe(context.each(replay), context.each(leave)) }
  },
})

type Kept = Pick<Item, 'key' | 'value' | 'place'>

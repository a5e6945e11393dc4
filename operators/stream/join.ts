import { Observable } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'

/** A pair takes the key of its items and stands where the later one of them came. */
export default operator({
  summary: 'Joins the items of two streams that have the same key, as { left, right }.',
  config: {
    waiting: {
      type: 'integer',
      minimum: 1,
      default: 64,
      description:
        'Items of one side that may wait for their partners; the run fails as stalled when none of them comes.',
    },
    unmatched: {
      type: 'string',
      enum: ['error', 'drop'],
      default: 'error',
      description: 'What an item is whose partner has not come when both streams have ended.',
    },
  },
  inputs: { left: 'any', right: 'any' },
  outputs: { pairs: 'pair' },
  unordered: true,
  credits: ({ waiting }) => waiting,
  run: ({ left, right }, { unmatched }) => ({
    pairs: new Observable<Item>(subscriber => {
      const waits = { left: new Map<string, Item>(), right: new Map<string, Item>() }
      let open = 2
      const meet = (item: Item, side: 'left' | 'right') => {
        const others = side === 'left' ? waits.right : waits.left
        const other = others.get(item.key)
        if (!other) {
          if (waits[side].has(item.key))
            subscriber.error(new Error(`${side}: two items have the key "${item.key}"`))
          else waits[side].set(item.key, item)
          return
        }
        others.delete(item.key)
        const [one, two] = side === 'left' ? [item, other] : [other, item]
        const pair = one.derive({ left: one.value, right: two.value }, { parents: [one, two] })
        one.release()
        two.release()
        subscriber.next(pair)
      }
      const end = () => {
        if (--open > 0) return
        const alone = [...waits.left.values(), ...waits.right.values()]
        if (alone.length > 0 && unmatched === 'error')
          subscriber.error(
            new Error(`${alone.length} items have no partner, the first has the key "${alone[0].key}"`),
          )
        for (const item of alone) if (unmatched === 'drop') item.release()
        subscriber.complete()
      }
      const subscriptions = (
        [
          ['left', left],
          ['right', right],
        ] as const
      ).map(([side, items]) =>
        items.subscribe({
          next: item => meet(item, side),
          error: error => subscriber.error(error),
          complete: end,
        }),
      )
      return () => {
        for (const subscription of subscriptions) subscription.unsubscribe()
      }
    }),
  }),
})

import { Observable } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'

/** A pair has the key of its items, and is emitted when the second of them arrives. */
export default operator({
  summary: 'Pairs the items of two streams that have the same key, as { left, right }.',
  config: {
    waiting: {
      type: 'integer',
      minimum: 1,
      default: 64,
      description:
        'Items of one side that may wait for their partners; if they wait for partners that never arrive, the run fails as stalled.',
    },
    unmatched: {
      type: 'string',
      enum: ['error', 'drop'],
      default: 'error',
      description: 'What happens to an item whose partner has not arrived when both streams have ended.',
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
            new Error(`${alone.length} items have no partner, the first has the key "${at(alone, 0).key}"`),
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

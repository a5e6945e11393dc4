import { Observable } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'

/** A pair has the key of its items, and is emitted when the second of them arrives. */
export default operator({
  summary: 'Pairs the items of two streams that have the same key, as { left, right }.',
  config: {
    waiting: {
      type: 'integer',
      minimum: 1,
      default: 64,
      description: 'Items of one side that may wait for their partners.',
    },
    unmatched: {
      type: 'string',
      enum: ['error', 'drop'],
      default: 'error',
      description: 'What happens to an item whose partner cannot arrive any more.',
    },
  },
  inputs: { left: 'any', right: 'any' },
  outputs: { pairs: 'pair' },
  unordered: true,
  pairs: true,
  drops: true,
  credits: ({ waiting }) => waiting,
  run: ({ left, right }, { unmatched }, context) => {
    const waits = { left: new Map<string, Item>(), right: new Map<string, Item>() }
    const giveUp = (alone: readonly Item[]) => {
      // in a run that is stopping the partner may have been left
      const lost = unmatched === 'error' ? alone.filter(item => !context.leaves(item)) : []
      const [first] = lost
      if (first) throw new Error(`${lost.length} items have no partner, the first has the key "${first.key}"`)
      for (const item of alone) {
        for (const side of [waits.left, waits.right]) if (side.get(item.key) === item) side.delete(item.key)
        item.release()
      }
    }
    const all = () => [...waits.left.values(), ...waits.right.values()]
    context.partnerless(isAlone => giveUp(all().filter(isAlone)))
    const pairs = new Observable<Item>(subscriber => {
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
        try {
          giveUp(all())
          subscriber.complete()
        } catch (error) {
          subscriber.error(error)
        }
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
    })
    return { pairs }
  },
})

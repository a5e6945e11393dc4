import { map, Observable, type OperatorFunction } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'

/** A list has the key of its first item. The last list is short when the input ends early. */
export default operator({
  summary:
    'Collects items into lists by number, bytes and time; a list ends at whichever limit is reached first.',
  config: {
    size: { type: 'integer', minimum: 1, default: 8, description: 'Largest number of items in a list.' },
    bytes: {
      type: 'number',
      minimum: 0,
      default: 0,
      description: 'Largest number of bytes in a list, unless a single item has more; 0 for no limit.',
    },
    seconds: {
      type: 'number',
      minimum: 0,
      default: 0,
      description: 'Longest time after the first item of a list; 0 for no limit.',
    },
  },
  inputs: { items: 'any' },
  outputs: { lists: { kind: 'list', shape: ['B'] } },
  drops: true,
  dims: ({ size }) => ({ B: size }),
  credits: ({ size }) => size,
  collects: ({ size, seconds }) => (seconds > 0 ? 1 : size),
  run: ({ items }, limits) => ({
    lists: items.pipe(
      lists(limits),
      map(list => {
        const batch = at(list, 0).derive(
          list.map(item => item.value),
          { parents: list },
        )
        for (const item of list) item.release()
        return batch
      }),
    ),
  }),
})

interface Limits {
  size: number
  bytes: number
  seconds: number
}

const lists =
  ({ size, bytes, seconds }: Limits): OperatorFunction<Item, Item[]> =>
  items =>
    new Observable(subscriber => {
      let list: Item[] = []
      let weight = 0
      let timer: NodeJS.Timeout | undefined
      const flush = () => {
        clearTimeout(timer)
        const full = list
        list = []
        weight = 0
        if (full.length > 0) subscriber.next(full)
      }
      const subscription = items.subscribe({
        next: item => {
          if (bytes > 0 && weight + item.bytes > bytes) flush()
          list.push(item)
          weight += item.bytes
          if (list.length === size || (bytes > 0 && weight >= bytes)) flush()
          else if (seconds > 0 && list.length === 1) timer = setTimeout(flush, seconds * 1000)
        },
        error: error => subscriber.error(error),
        complete: () => {
          flush()
          subscriber.complete()
        },
      })
      return () => {
        clearTimeout(timer)
        subscription.unsubscribe()
      }
    })

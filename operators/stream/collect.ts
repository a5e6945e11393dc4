import { bufferCount, map, type OperatorFunction } from 'rxjs'
import type { Item } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'

/** An item's value with its key and seed, as part of a list. */
export interface Member<T> {
  readonly value: T
  readonly key: string
  readonly seed: number
}

/** Joins every `count` items into one list; the last list is short when the input ends early. */
export const collect =
  <T>(count: number): OperatorFunction<Item<T>, Item<readonly Member<T>[]>> =>
  items =>
    items.pipe(
      bufferCount(count),
      map(list => {
        const members = list.map(({ value, key, seed }) => ({ value, key, seed }))
        const joined = at(list, 0).derive(members, { parents: list })
        for (const item of list) item.release()
        return joined
      }),
    )

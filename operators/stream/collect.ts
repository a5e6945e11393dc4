import { bufferCount, map, type OperatorFunction } from 'rxjs'
import type { Item } from '../../engine/operator.ts'

/** An item's value with what names and seeds it, as part of a list. */
export interface Member<T> {
  readonly value: T
  readonly key: string
  readonly seed: number
}

/** Joins every `count` items into one; the last list is short when the source ends early. */
export const collect =
  <T>(count: number): OperatorFunction<Item<T>, Item<readonly Member<T>[]>> =>
  items =>
    items.pipe(
      bufferCount(count),
      map(list => {
        const members = list.map(({ value, key, seed }) => ({ value, key, seed }))
        const joined = list[0].derive(members, { parents: list })
        for (const item of list) item.release()
        return joined
      }),
    )

import { filter, map, toArray } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { isObject } from '../../engine/shared/json.ts'

/** Items of equal value keep the order in which they came. */
export default operator({
  summary: 'Waits for all items, then passes them on in the order of a number that each of them has.',
  config: {
    by: { type: 'string', description: 'Path of the number in the item, e.g. `fields.meanReward`.' },
    order: {
      type: 'string',
      enum: ['ascending', 'descending'],
      default: 'ascending',
      description: 'Smallest or greatest number first.',
    },
    capacity: {
      type: 'integer',
      minimum: 1,
      default: 4096,
      description: 'Largest number of items; with more items the run stalls.',
    },
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  credits: ({ capacity }) => capacity,
  drops: false,
  serial: true,
  waitsForEnd: true,
  run: ({ items }, { by, order }, context) => {
    const sign = order === 'ascending' ? 1 : -1
    const sorted = items.pipe(
      toArray(),
      filter(list => list.length > 0),
      map(list => {
        const members = list.map(({ key, value }) => ({ key, value }))
        const whole = at(list, 0).derive(members, { parents: list })
        for (const item of list) item.release()
        return whole
      }),
      context.each((members: readonly Pick<Item, 'key' | 'value'>[]) => {
        const numbered = members.map(({ key, value }) => ({ key, value, number: numberAt(value, by, key) }))
        numbered.sort((a, b) => sign * (a.number - b.number))
        return numbered.map(({ key, value }) => context.emit(value, { key }))
      }),
    )
    return { items: sorted }
  },
})

function numberAt(value: unknown, path: string, key: string): number {
  let found = value
  for (const step of path.split('.'))
    found = isObject(found) && Object.hasOwn(found, step) ? found[step] : undefined
  if (typeof found === 'number' && Number.isFinite(found)) return found
  throw new Error(
    `item ${key}: ${path} must be a number to sort by, found ${JSON.stringify(found) ?? 'nothing'}`,
  )
}

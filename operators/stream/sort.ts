import { filter, map, toArray } from 'rxjs'
import { nearestHint } from '../../engine/graph/did-you-mean.ts'
import { type Item, operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { isObject } from '../../engine/shared/json.ts'
import { fieldsBefore } from '../read/fields-before.ts'
import { ExpressionError } from './expression.ts'

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
  marks: () => ({}),
  serial: true,
  waitsForEnd: true,
  async inspect({ by }, { parts = [], name = '', isBrief }) {
    const field = /^fields\.([^.]+)$/.exec(by)?.[1]
    const known = isBrief || field === undefined ? undefined : await fieldsBefore(parts, name)
    if (!known || field === undefined || known.has(field)) return []
    const hint = nearestHint(field, known)
    const lines = [`no question has the field "${field}"${hint && ` (${hint})`}`]
    const remedy = 'name a field that the rows have, or one that a node before this one adds'
    return [{ field: 'by', rule: 'must be a field of the questions', lines, code: 'unknown-field', remedy }]
  },
  pure:
    ({ by }) =>
    async (value, { key }) => {
      numberAt(value, by, key)
      return value
    },
  run: ({ items }, { by, order }, context) => {
    const sign = order === 'ascending' ? 1 : -1
    // an item without its number fails by itself
    const numbered = items.pipe(
      context.each<unknown, Numbered>((value, { key, place }) => ({
        ...{ key, value, place },
        number: numberAt(value, by, key),
      })),
    )
    const sorted = numbered.pipe(
      toArray(),
      filter(list => list.length > 0),
      map(list => {
        const whole = at(list, 0).derive(
          list.map(({ value }) => value),
          { parents: list },
        )
        for (const item of list) item.release()
        return whole
      }),
      context.each((members: readonly Numbered[]) =>
        members
          .toSorted((a, b) => sign * (a.number - b.number))
          .map(({ key, value, place }) => context.emit(value, { key, place })),
      ),
    )
    return { items: sorted }
  },
})

type Numbered = Pick<Item, 'key' | 'value' | 'place'> & { readonly number: number }

function numberAt(value: unknown, path: string, key: string): number {
  let found = value
  let names: readonly string[] = []
  for (const step of path.split('.')) {
    if (isObject(found) && !Object.hasOwn(found, step)) names = Object.keys(found)
    found = isObject(found) && Object.hasOwn(found, step) ? found[step] : undefined
  }
  if (typeof found === 'number' && Number.isFinite(found)) return found
  const hint = nearestHint(path.split('.').at(-1) ?? '', names)
  throw new ExpressionError(
    'bad-row',
    `item "${key}": ${path} must be a number to sort by, found ${JSON.stringify(found) ?? 'nothing'}${hint && ` (${hint})`}`,
  )
}

import { pickOf, type Random } from './engine/run/random-graph.ts'

/** Values that a file from elsewhere may hold in place of the right one. */
const hostile: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e308,
  2 ** 53 + 2,
  '',
  'x',
  'constructor',
  '__proto__',
  '../../outside',
  'https://elsewhere/x',
  '\u001b[31mred\u001b[0m',
  '9'.repeat(400),
  [],
  {},
  [null],
  [[]],
  [{}],
  { a: null },
  { length: 1e9 },
]

/** A JSON text with one value, at any depth, replaced by another one or removed. */
export function changedJson(text: string, random: Random): string {
  const value: unknown = JSON.parse(text)
  const place = pickOf(placesIn(value, []), random)
  const by = random() < 0.25 ? undefined : pickOf(hostile, random)
  return JSON.stringify(at(value, place, by)) ?? ''
}

type Place = readonly string[]

const isFolded = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

function placesIn(value: unknown, place: Place): Place[] {
  if (!isFolded(value)) return [place]
  return [place, ...Object.keys(value).flatMap(key => placesIn(value[key], [...place, key]))]
}

/** The value in which `by` stands at a place; with `undefined` nothing stands there. */
function at(value: unknown, [key, ...rest]: Place, by: unknown): unknown {
  if (key === undefined || !isFolded(value)) return by
  const inside = at(value[key], rest, by)
  if (Array.isArray(value))
    return value.flatMap((one, i) => (String(i) !== key ? [one] : inside === undefined ? [] : [inside]))
  return { ...value, [key]: inside }
}

import t from 'tap'
import { placesOfItems } from '../../../operators/read/item-lines.ts'

/** What the places say after the name of the file. */
const places = (text: string) => placesOfItems('a.json', text).map(place => place.slice('a.json'.length))
const items = [{ a: ['x', '],[\n"\\'], b: { c: 1 } }, [[1], 2], 'text', 3, null, {}]

t.test('the items of a JSON array have the lines that they begin on', t => {
  t.same(places('[\n\n {"a": [\n1, 2]},\n{"b": "}, {"}\n, 4]'), [':3', ':5', ':6'])
  t.same(places('[]'), [])
  t.same(places(' [ ] '), [])
  const text = JSON.stringify(items, null, 2)
  const begins = text.split('\n').flatMap((line, i) => (/^ {2}[^ \]}]/.test(line) ? [`:${i + 1}`] : []))
  t.same(places(text), begins)
  t.end()
})

t.test('where a line holds several items, all have their numbers', t => {
  t.same(
    places(JSON.stringify(items)),
    [1, 2, 3, 4, 5, 6].map(number => `: row ${number}`),
  )
  t.same(places('[1,\n2, 3]'), [': row 1', ': row 2', ': row 3'])
  t.end()
})

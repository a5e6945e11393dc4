import t from 'tap'
import { linesOfItems } from '../../../operators/read/item-lines.ts'

t.test('the items of a JSON array have the lines that they begin on', t => {
  const items = [{ a: ['x', '],[\n"\\'], b: { c: 1 } }, [[1], 2], 'text', 3, null, {}]
  t.same(linesOfItems(JSON.stringify(items)), [1, 1, 1, 1, 1, 1])
  t.same(linesOfItems('[\n\n {"a": [\n1, 2]},\n{"b": "}, {"}\n, 4]'), [3, 5, 6])
  t.same(linesOfItems('[]'), [])
  t.same(linesOfItems(' [ ] '), [])
  const text = JSON.stringify(items, null, 2)
  const begins = text.split('\n').flatMap((line, i) => (/^ {2}[^ \]}]/.test(line) ? [i + 1] : []))
  t.same(linesOfItems(text), begins)
  t.end()
})

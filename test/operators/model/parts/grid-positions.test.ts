import t from 'tap'
import { squareOrder, tableMeans } from '../../../../operators/model/parts/grid-positions.ts'

t.test('places of a grid follow each other square by square', async t => {
  const names = squareOrder({ rows: 2, columns: 6 }, 2).map(({ row, column }) => `${row}${column}`)
  t.equal(names.join(' '), '00 01 10 11 02 03 12 13 04 05 14 15')
})

/** The means of a table whose entries are these numbers. */
const meansOf = (table: readonly number[], across: number, rows: number, columns: number, square = 1) => {
  const sums = new Array<number>(rows * columns).fill(0)
  for (const { to, from, weight = 0 } of tableMeans(across, { rows, columns }, square))
    sums[to] = (sums[to] ?? 0) + weight * (table[from] ?? Number.NaN)
  return sums
}

t.test('a table is stretched so that its corners are those of the grid', async t => {
  const table = [0, 1, 2, 10, 11, 12, 20, 21, 22]
  t.same(meansOf(table, 3, 3, 3), table, 'a grid of its own size is the table')
  t.same(meansOf(table, 3, 2, 2), [0, 2, 20, 22])
  t.same(meansOf(table, 3, 5, 3).slice(0, 9), [0, 1, 2, 5, 6, 7, 10, 11, 12])
  t.same(meansOf(table, 3, 1, 2), [0, 2], 'a single row is the first one')
  t.same(meansOf(table, 3, 2, 4, 2).slice(0, 3), [0, 2 / 3, 20].map(Math.fround), 'square by square')
})

t.test('the weights of a place sum to one, and no row is beyond the table', async t => {
  const pairs = tableMeans(48, { rows: 22, columns: 40 }, 2)
  const sums = new Map<number, number>()
  for (const { to, weight = 0 } of pairs) sums.set(to, (sums.get(to) ?? 0) + weight)
  t.equal(sums.size, 880)
  t.ok([...sums.values()].every(sum => Math.abs(sum - 1) < 1e-12))
  t.ok(pairs.every(({ from }) => from >= 0 && from < 48 ** 2))
})

import t from 'tap'
import { windowsOf } from '../../../../operators/model/parts/windows.ts'

t.test('windows at the right and lower edges hold what is left', async t => {
  t.same(windowsOf({ rows: 3, columns: 5 }, 2), {
    windows: [[0, 1, 5, 6], [2, 3, 7, 8], [4, 9], [10, 11], [12, 13], [14]],
    longest: 4,
  })
  t.same(windowsOf({ rows: 1, columns: 3 }, 4), { windows: [[0, 1, 2]], longest: 3 })
})

t.test('every square is in one window, together with its neighbours', async t => {
  for (const [rows, columns, across] of [
    [4, 4, 2],
    [7, 9, 4],
    [1, 1, 3],
  ] as const) {
    const { windows, longest } = windowsOf({ rows, columns }, across)
    t.same(
      windows.flat().sort((a, b) => a - b),
      Array.from({ length: rows * columns }, (_, i) => i),
    )
    t.equal(longest, Math.min(rows, across) * Math.min(columns, across))
    const near = (one: number, other: number) => Math.abs(one - other) < across
    for (const window of windows)
      t.ok(
        window.every(a =>
          window.every(
            b => near(Math.floor(a / columns), Math.floor(b / columns)) && near(a % columns, b % columns),
          ),
        ),
      )
  }
})

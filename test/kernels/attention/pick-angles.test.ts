import t from 'tap'
import { pickAngles, pickAnglesReference } from '../../../kernels/attention/pick-angles.ts'
import { given, noise, onEachFamily, runOnce } from '../support.ts'

t.test('pairs turn by time, row and column in turn, as long as rows and columns have any left', async t => {
  // The number in the table is its position.
  const table = Array.from({ length: 9 * 8 }, (_, i) => Math.floor(i / 8))
  const one = [[7], [1], [2]]
  t.same(pickAnglesReference(table, one, [4, 2, 2], 8), [7, 1, 2, 7, 1, 2, 7, 7])
  t.same(pickAnglesReference(table, one, [3, 3, 2], 8), [7, 1, 2, 7, 1, 2, 7, 1])
  t.same(pickAnglesReference(table, one, [8, 0, 0], 8), [7, 7, 7, 7, 7, 7, 7, 7])
})

await onEachFamily(t, async (device, t) => {
  // fewer numbers than lanes, and more; sections as published
  for (const [rows, pairs, ...sections] of [
    [3, 8, 4, 2, 2],
    [5, 3, 1, 1, 1],
    [7, 64, 24, 20, 20],
  ])
    await t.test(`${pairs} pairs of ${rows} rows`, async t => {
      const table = noise(11 * pairs, 1)
      const positions = [5, 3, 7].map(step => Array.from({ length: rows }, (_, row) => (row * step + 2) % 11))
      const out = device.tensor('out', [rows, pairs])
      await runOnce(device, recording =>
        pickAngles(recording, {
          table: given(device, [11, pairs], table),
          positions: given(device, [3, rows], Uint32Array.from(positions.flat())),
          sections,
          out,
        }),
      )
      t.same(Array.from(await device.read(out)), pickAnglesReference(table, positions, sections, pairs))
    })
})

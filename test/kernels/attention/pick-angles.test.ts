import t from 'tap'
import {
  pickAngles,
  pickAnglesReference,
  streamsInBlocks,
  streamsInTurn,
} from '../../../kernels/attention/pick-angles.ts'
import { given, noise, onEachFamily, runOnce } from '../support.ts'

t.test('pairs turn by time, row and column in turn, as long as rows and columns have any left', async t => {
  t.same(streamsInTurn([4, 2, 2]), [0, 1, 2, 0, 1, 2, 0, 0])
  t.same(streamsInTurn([3, 3, 2]), [0, 1, 2, 0, 1, 2, 0, 1])
  t.same(streamsInTurn([8, 0, 0]), [0, 0, 0, 0, 0, 0, 0, 0])
})

t.test('or in blocks', async t => {
  t.same(streamsInBlocks([4, 1, 2]), [0, 0, 0, 0, 1, 2, 2])
  // The number in the table is its position.
  const table = Array.from({ length: 9 * 7 }, (_, i) => Math.floor(i / 7))
  t.same(pickAnglesReference(table, [[7], [1], [2]], streamsInBlocks([4, 1, 2])), [7, 7, 7, 7, 1, 2, 2])
})

await onEachFamily(t, async (device, t) => {
  // fewer numbers than lanes, and more; sections as published, in turn and in blocks
  for (const [rows, pairs, ...sections] of [
    [3, 8, 4, 2, 2],
    [5, 3, 1, 1, 1],
    [7, 64, 24, 20, 20],
    [8, 64, 16, 24, 24],
  ])
    await t.test(`${pairs} pairs of ${rows} rows`, async t => {
      const table = noise(11 * pairs, 1)
      const streams = rows % 2 ? streamsInTurn(sections) : streamsInBlocks(sections)
      const positions = [5, 3, 7].map(step => Array.from({ length: rows }, (_, row) => (row * step + 2) % 11))
      const out = device.tensor('out', [rows, pairs])
      await runOnce(device, recording =>
        pickAngles(recording, {
          table: given(device, [11, pairs], table),
          positions: given(device, [3, rows], Uint32Array.from(positions.flat())),
          streams: given(device, [pairs], Uint32Array.from(streams)),
          out,
        }),
      )
      t.same(Array.from(await device.read(out)), pickAnglesReference(table, positions, streams))
    })
})

import t from 'tap'
import { headNorms, headNormsReference } from '../../../kernels/decode/head-norms.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { close, given, noise } from '../support.ts'
import { half, halved, runInFloat16 } from './row-blocks-data.ts'

const epsilon = 1e-6

t.test('the reference norms a head, then turns its pairs', async t => {
  // mean of squares 25 / 2, gains 1 and 2, a quarter turn
  const found = headNormsReference([3, 4], [1, 2], [0, 1], 0)
  close(t, found, [-8 / Math.sqrt(12.5), 3 / Math.sqrt(12.5)], 1e-6)
})

for (const units of ['emulated', 'none'] as const)
  t.test(`queries and keys, units ${units}`, async t => {
    const device = await openDevice({ family: 'gpu', units })
    try {
      // a head of fewer pairs than lanes, and more query heads than key heads; a room for more rows than there are
      for (const [rows, heads, keyValueHeads, headSize] of [
        [1, 1, 1, 2],
        [3, 4, 2, 16],
        [2, 6, 2, 256],
      ] as const) {
        const [capacity, room, ratio] = [4, rows + 2, heads / keyValueHeads]
        const queryValues = halved(noise(keyValueHeads * room * ratio * headSize, 1, 4))
        const cacheValues = halved(noise(2 * rows * capacity * keyValueHeads * headSize, 2, 4))
        const queries = half(device, [keyValueHeads, room, ratio, headSize], queryValues)
        const cache = half(device, [2, rows, capacity, keyValueHeads * headSize], cacheValues)
        const [queryGain, keyGain] = [noise(headSize, 3), noise(headSize, 4)]
        const angles = noise(12 * headSize, 5)
        // the last row has ended: its step has no slot
        const times = Uint32Array.from({ length: rows }, (_, row) =>
          row > 0 && row === rows - 1 ? capacity : row + 1,
        )
        const starts = Uint32Array.from({ length: rows }, (_, row) => 3 + row)
        await runInFloat16(device, recording =>
          headNorms(recording, {
            ...{ queries, cache, epsilon, rows, heads, keyValueHeads, headSize, capacity },
            queryGain: given(device, [headSize], queryGain),
            keyGain: given(device, [headSize], keyGain),
            angles: given(device, [12, headSize / 2, 2], angles),
            starts: given(device, [rows], starts),
            position: given(device, [rows], times),
          }),
        )
        const [wantedQueries, wantedCache] = [Float32Array.from(queryValues), Float32Array.from(cacheValues)]
        const change = (values: Float32Array, at: number, row: number, gain: ArrayLike<number>) => {
          const turn = ((starts[row] ?? 0) + (times[row] ?? 0)) * headSize
          const head = Array.from(values.slice(at, at + headSize))
          values.set(headNormsReference(head, gain, angles.slice(turn, turn + headSize), epsilon), at)
        }
        for (let row = 0; row < rows; row++) {
          for (let head = 0; head < heads; head++) {
            const place = (Math.floor(head / ratio) * room + row) * ratio + (head % ratio)
            change(wantedQueries, place * headSize, row, queryGain)
          }
          const time = times[row] ?? 0
          if (time < capacity)
            for (let head = 0; head < keyValueHeads; head++)
              change(wantedCache, ((row * capacity + time) * keyValueHeads + head) * headSize, row, keyGain)
        }
        const what = `${rows} rows of ${heads} and ${keyValueHeads} heads of ${headSize}`
        close(t, await device.read(queries), wantedQueries, 2 ** -10, `queries of ${what}`)
        close(t, await device.read(cache), wantedCache, 2 ** -10, `keys of ${what}, and nothing else`)
      }
    } finally {
      device.close()
    }
  })

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

t.test('numbers beyond the range of float16 become its largest, and are counted', async t => {
  const device = await openDevice({ family: 'gpu' })
  t.teardown(() => device.close())
  const [headSize, capacity] = [4, 2]
  const queries = half(device, [1, 1, 1, headSize], halved(noise(headSize, 1, 4)))
  const cache = half(device, [2, 1, capacity, headSize], halved(noise(2 * capacity * headSize, 2, 4)))
  const cuts = device.tensor('cuts', [1], 'u32')
  const trial = async (size: number) => {
    device.write(cuts, new Uint32Array(1))
    await runInFloat16(device, recording => {
      recording.saturated = cuts
      headNorms(recording, {
        ...{ queries, cache, epsilon, rows: 1, heads: 1, keyValueHeads: 1, headSize, capacity },
        queryGain: given(device, [headSize], noise(headSize, 3, size)),
        keyGain: given(device, [headSize], noise(headSize, 4)),
        angles: given(device, [8, headSize / 2, 2], noise(8 * headSize, 5)),
        starts: given(device, [1], Uint32Array.of(0)),
        position: given(device, [1], Uint32Array.of(0)),
      })
    })
    const [count = 0] = await device.readIntegers(cuts)
    return count
  }
  t.equal(await trial(1), 0)
  t.ok((await trial(1e6)) > 0)
  const found = await device.read(queries)
  t.ok(found.every(value => Math.abs(value) <= 65504))
})

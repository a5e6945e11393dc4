import t from 'tap'
import { decodeStart } from '../../../kernels/decode/embed-and-norm.ts'
import { blocksOf } from '../../../kernels/decode/row-blocks.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { close, given, noise } from '../support.ts'
import { half, halved, readBlocks, runInFloat16 } from './row-blocks-data.ts'

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())

const epsilon = 1e-6

await t.test('a step starts with embeddings and their exact norm', async t => {
  for (const type of ['f32', 'f16'] as const) {
    const [rows, columns, vocabulary] = [9, 48, 7]
    const table = halved(noise(vocabulary * columns, 20))
    const gain = noise(columns, 21)
    const ids = Uint32Array.from({ length: rows }, (_, row) => (row * 3) % vocabulary)
    const x = device.tensor('x', [rows, columns])
    const normedRows = device.tensor('out', blocksOf(rows, columns), 'f16')
    const scalesOut = device.tensor('scales', [16])
    await runInFloat16(device, recording =>
      decodeStart(recording, {
        ids: given(device, [rows], ids),
        table:
          type === 'f16'
            ? half(device, [vocabulary, columns], table)
            : given(device, [vocabulary, columns], table),
        x,
        gain: given(device, [columns], gain),
        rows,
        normed: { rows: normedRows, scales: scalesOut, size: columns, epsilon },
      }),
    )
    const wanted = Array.from({ length: rows * columns }, (_, i) => {
      return table[ids[Math.floor(i / columns)] * columns + (i % columns)]
    })
    t.same(Array.from(await device.read(x)), wanted)
    const sums = Array.from({ length: rows }, (_, row) =>
      wanted.slice(row * columns, (row + 1) * columns).reduce((sum, value) => sum + value * value, 0),
    )
    const scales = sums.map(sum => 1 / Math.sqrt(sum / columns + epsilon))
    close(t, (await device.read(scalesOut)).slice(0, rows), scales, 1e-6)
    const exact = wanted.map((value, i) => value * gain[i % columns] * scales[Math.floor(i / columns)])
    close(t, await readBlocks(device, normedRows, rows, columns), exact, 2 ** -11)
  }
})

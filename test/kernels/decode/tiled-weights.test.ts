import t from 'tap'
import { joinAdapters } from '../../../kernels/decode/joined-adapters.ts'
import type { StepTile } from '../../../kernels/decode/product-tile.ts'
import { addWeights, gatedWeights } from '../../../kernels/decode/projections.ts'
import { type StepMatrix, tiledSize, tileWeights } from '../../../kernels/decode/tiled-weights.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { fromFloat16Bits, toFloat16Bits } from '../../../kernels/device/float16.ts'
import type { Parameter } from '../../../kernels/layers/pass.ts'
import { integerMatrix } from '../integers.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

const tile: StepTile = { divide: 'k', subgroups: 2, columnBlocks: 1, depth: 16 }
const columns = 32

await onEachFamily(t, async (device, t) => {
  // A workgroup writes the tiles of 512 k; the last one fewer.
  for (const inner of [16, 512, 1104])
    await t.test(
      `tiles of ${inner} k hold blocks of 16 columns by 16 k, of floats and of integers`,
      async t => {
        const values = noise(columns * inner, inner)
        const matrices: [string, StepMatrix, Float32Array][] = [
          ['float32', given(device, [columns, inner], values), values],
        ]
        for (const bits of [4, 8] as const) {
          const { matrix, elements } = integerMatrix(device, [columns, inner], { bits, groupSize: 16 })
          matrices.push([`${bits} bits`, matrix, elements])
        }
        for (const [what, matrix, elements] of matrices) {
          const weights = addWeights(matrix, { inner, columns, tile })
          t.equal(tiledSize(weights), columns * inner)
          const words = given(device, [(columns * inner) / 2], new Uint32Array((columns * inner) / 2))
          const tiled = { ...words, shape: [columns * inner], type: 'f16' as const }
          await runOnce(device, recording => tileWeights(recording, weights, tiled))
          const found = new Uint16Array(Uint32Array.from(await device.readIntegers(words)).buffer)
          const wanted = Float32Array.from({ length: columns * inner }, (_, i) => {
            const [block, column, k] = [Math.floor(i / 256), Math.floor(i / 16) % 16, i % 16]
            const [columnBlock, kBlock] = [Math.floor(block / (inner / 16)), block % (inner / 16)]
            return elements[(columnBlock * 16 + column) * inner + kBlock * 16 + k] ?? Number.NaN
          })
          t.same([...fromFloat16Bits(found)], [...fromFloat16Bits(toFloat16Bits(wanted))], what)
        }
      },
    )

  for (const bits of [4, 8] as const)
    await t.test(
      `tiles of integers of ${bits} bits hold the sums of each matrix and its adapter, of any rank`,
      async t => {
        const inner = 48
        for (const rank of [1, 3, 16]) {
          const { matrix, elements } = integerMatrix(device, [columns, inner], { bits, groupSize: 16 })
          const [up, down] = [noise(columns * rank, 5), noise(rank * inner, 6)]
          const weight = parameterOf(device, [columns, inner], noise(columns * inner, 7))
          const adapter = {
            up: parameterOf(device, [columns, rank], up),
            down: parameterOf(device, [rank, inner], down),
            scale: 0.5,
          }
          const weights = gatedWeights(matrix, matrix, { inner, columns, tile })
          const size = tiledSize(weights)
          const words = given(device, [size / 2], new Uint32Array(size / 2))
          const tiled = { ...words, shape: [size], type: 'f16' as const }
          await runOnce(device, recording => {
            const adapters = joinAdapters(recording, [weight, { ...weight, adapter }])
            tileWeights(recording, weights, tiled, adapters)
          })
          const found = new Uint16Array(Uint32Array.from(await device.readIntegers(words)).buffer)
          // A tile has 8 columns of the first matrix, which has no adapter, and 8 of the second.
          const wanted = Float32Array.from({ length: size }, (_, i) => {
            const [block, place, k] = [Math.floor(i / 256), Math.floor(i / 16) % 16, i % 16]
            const [columnTile, kBlock] = [Math.floor(block / (inner / 16)), block % (inner / 16)]
            const [column, at] = [columnTile * 8 + (place % 8), kBlock * 16 + k]
            let added = 0
            for (let r = 0; r < rank; r++) added += up[column * rank + r] * down[r * inner + at]
            return elements[column * inner + at] + (place < 8 ? 0 : 0.5 * added)
          })
          close(t, fromFloat16Bits(found), wanted, 1e-3, `rank ${rank}`)
        }
      },
    )

  await t.test('adapters of two ranks or scales are not joined', async t => {
    const weight = parameterOf(device, [16, 16], noise(256))
    const adapted = (rank: number, scale: number): Parameter => {
      const up = parameterOf(device, [16, rank], noise(16 * rank))
      return { ...weight, adapter: { up, down: parameterOf(device, [rank, 16], noise(16 * rank)), scale } }
    }
    const joined: boolean[] = []
    await runOnce(device, recording => {
      const pairs = [
        [weight, weight],
        [adapted(2, 1), adapted(3, 1)],
        [adapted(2, 1), adapted(2, 2)],
        [adapted(2, 1), adapted(2, 1)],
      ]
      for (const pair of pairs) joined.push(joinAdapters(recording, pair) !== undefined)
    })
    t.same(joined, [false, false, false, true])
  })
})

function parameterOf(device: Device, shape: readonly number[], values: Float32Array<ArrayBuffer>): Parameter {
  return { name: 'given', shape, value: given(device, shape, values) }
}

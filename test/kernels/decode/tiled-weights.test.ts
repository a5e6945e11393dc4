import t from 'tap'
import type { StepTile } from '../../../kernels/decode/product-tile.ts'
import { addWeights } from '../../../kernels/decode/projections.ts'
import { type StepMatrix, tiledSize, tileWeights } from '../../../kernels/decode/tiled-weights.ts'
import { fromFloat16Bits, toFloat16Bits } from '../../../kernels/device/float16.ts'
import { integerMatrix } from '../integers.ts'
import { given, noise, onEachFamily, runOnce } from '../support.ts'

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
})

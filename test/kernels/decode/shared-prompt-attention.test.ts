import t from 'tap'
import { decodeAttentionReference } from '../../../kernels/decode/attention.ts'
import { blockRowsOf, blocksOf } from '../../../kernels/decode/row-blocks.ts'
import { groupAttention, groupLists } from '../../../kernels/decode/shared-prompt-attention.ts'
import { keysAtOnce } from '../../../kernels/decode/shared-prompt-parts.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { fromFloat16, toFloat16Bits } from '../../../kernels/device/float16.ts'
import { close, given, noise, runOnce } from '../support.ts'

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())

// Groups of one and more sequences; prompts around a workgroup's keys; the first token, a block's last, one more; rows
// of a group beyond one workgroup's 64; heads that share keys and heads that do not.
const cases = [
  { heads: 2, keyValueHeads: 2, headSize: 80, groups: [[1, 1]], position: 0, spread: 1 },
  {
    heads: 6,
    keyValueHeads: 2,
    headSize: 32,
    groups: [
      [65, 3],
      [64, 1],
      [7, 2],
    ],
    position: 63,
    spread: 4,
  },
  {
    heads: 8,
    keyValueHeads: 1,
    headSize: 32,
    groups: [
      [130, 9],
      [3, 1],
    ],
    position: 64,
    spread: 12,
  },
  { heads: 20, keyValueHeads: 1, headSize: 16, groups: [[9, 4]], position: 3, spread: 4 },
]

for (const { heads, keyValueHeads, headSize, groups, position, spread } of cases) {
  const sequences = groups.reduce((sum, [, count]) => sum + count, 0)
  const what = `${heads} heads of ${headSize} on ${keyValueHeads}, groups ${groups.join(' and ')}, token ${position}`
  await t.test(what, async t => {
    const ratio = heads / keyValueHeads
    const positions = Array.from({ length: sequences }, (_, i) => Math.max(0, position - 9 * i))
    const width = keyValueHeads * headSize
    const capacity = Math.ceil((position + 2) / keysAtOnce) * keysAtOnce
    let first = 0
    let start = 2
    const made = groups.map(([length, count]) => {
      const group = { start, length, room: length + (start % 3) * 40, first, count }
      first += count
      start += length
      return group
    })
    const of = <T>(value: (group: (typeof made)[number]) => T): T[] =>
      made.flatMap(group => Array.from({ length: group.count }, () => value(group)))
    const rows = start
    const values = (size: number, seed: number, scale = 2) => {
      return Float32Array.from(toFloat16Bits(noise(size, seed, scale)), fromFloat16)
    }
    const half = (shape: readonly number[], data: Float32Array) =>
      device.tensor('given', shape, 'f16', toFloat16Bits(data))
    const q = values(sequences * heads * headSize, 1, spread)
    const room = sequences + 1
    const queries = new Float32Array(room * heads * headSize).fill(Number.NaN)
    q.forEach((value, i) => {
      const [sequence, head] = [Math.floor(i / (heads * headSize)), Math.floor(i / headSize) % heads]
      const place = (Math.floor(head / ratio) * room + sequence) * ratio + (head % ratio)
      queries[place * headSize + (i % headSize)] = value
    })
    const prefix = values(2 * (rows + keysAtOnce) * width, 2)
    const cache = values(2 * sequences * capacity * width, 3)
    for (const [data, size] of [
      [prefix, prefix.length / 2],
      [cache, cache.length / 2],
    ] as const)
      for (let i = 0; i < size; i++) data[i] *= spread / 2 // keys; rounding stays what it was where spread is even
    const out = device.tensor('out', blocksOf(sequences, heads * headSize), 'f16')
    const scale = headSize ** -0.5
    await runOnce(device, recording =>
      groupAttention(recording, {
        ...{
          lists: groupLists(recording, () => made, ratio),
          out,
          sequences,
          heads,
          keyValueHeads,
          headSize,
          capacity,
          scale,
        },
        queries: half([keyValueHeads, room, ratio, headSize], queries),
        prefix: half([2, rows + keysAtOnce, width], prefix),
        cache: half([2, sequences, capacity, width], cache),
        position: given(device, [sequences], Uint32Array.from(positions)),
      }),
    )
    const halves = (data: Float32Array) => {
      return [data.subarray(0, data.length / 2), data.subarray(data.length / 2)]
    }
    const kept = (data: Float32Array) => Float32Array.from(toFloat16Bits(data), fromFloat16)
    const [prefixKeys, prefixValues] = halves(kept(prefix))
    const [keys, ownValues] = halves(kept(cache))
    const wanted = decodeAttentionReference({
      q,
      prefixKeys,
      prefixValues,
      keys,
      values: ownValues,
      position: positions,
      prefixStarts: of(group => group.start),
      prefixLengths: of(group => group.length),
      heads,
      keyValueHeads,
      headSize,
      capacity,
      scale,
    })
    const found = await device.read(out)
    const [high, rowBlocks] = [blockRowsOf(sequences), out.shape[1]]
    const rowsFound = wanted.map((_, i) => {
      const [row, k] = [Math.floor(i / (heads * headSize)), i % (heads * headSize)]
      const block = (k >> 4) * rowBlocks + Math.floor(row / high)
      return found[block * high * 16 + (row % high) * 16 + (k & 15)]
    })
    close(t, rowsFound, wanted, 2 ** -10, what)
  })
}

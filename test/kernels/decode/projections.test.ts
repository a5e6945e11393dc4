import t, { type Test } from 'tap'
import type { StepTile } from '../../../kernels/decode/product-tile.ts'
import {
  addProjection,
  addWeights,
  gatedProjection,
  gatedWeights,
  logitsWeights,
  squareParts,
  stepLogits,
} from '../../../kernels/decode/projections.ts'
import { attentionInputs, attentionInputWeights } from '../../../kernels/decode/query-key-value.ts'
import { blocksOf, squaresOf } from '../../../kernels/decode/row-blocks.ts'
import { type StepWeights, tiledSize, tileWeights } from '../../../kernels/decode/tiled-weights.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import type { Recording } from '../../../kernels/plan/recording.ts'
import { close, given, noise } from '../support.ts'
import { blocks, dot, half, halved, readBlocks, runInFloat16, type Values } from './row-blocks-data.ts'

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())

const epsilon = 1e-6

const empty = (shape: readonly number[]): Tensor => device.tensor('out', shape, 'f16')

/** A normed row as its writer leaves it: sums of squares in parts, and rows scaled by something near 1 / rms, or exactly by that. */
function normed(rows: number, size: number, seed: number, isExact: boolean) {
  const x = noise(rows * size, seed, 6)
  const gain = noise(size, seed + 1)
  const used = Float32Array.from({ length: rows }, (_, row) => {
    if (!isExact) return 0.5 + row / 8
    const own = x.subarray(row * size, (row + 1) * size)
    return 1 / Math.sqrt(own.reduce((sum, value) => sum + value * value, 0) / size + epsilon)
  })
  const written = halved(x.map((value, i) => value * gain[i % size] * used[Math.floor(i / size)]))
  const parts = 3
  const shape = squaresOf(rows, parts)
  const squares = new Float32Array(shape[0] * shape[1]).fill(Number.NaN)
  const scales = Array.from({ length: rows }, (_, row) => {
    const own = x.subarray(row * size, (row + 1) * size)
    const total = own.reduce((sum, value) => sum + value * value, 0)
    for (let part = 0; part < parts; part++) squares[part * shape[1] + row] = (total * (part + 1)) / 6
    squares[parts * shape[1] + row] = used[row]
    return 1 / Math.sqrt(total / size + epsilon)
  })
  /** Row `row` of the exact norm, as far as what was written tells. */
  const exact = (row: number, k: number) => (written[row * size + k] / used[row]) * scales[row]
  return {
    exact,
    scales,
    tensors: {
      rows: blocks(device, rows, size, written),
      ...(!isExact && { squares: given(device, shape, squares) }),
      scales: device.tensor('scales', [shape[1]]),
      size,
      epsilon,
    },
  }
}

// One row in a narrow block, one more than fit into it, more than one block, more than a workgroup's rows.
interface Case {
  rows: number
  inner: number
  tile: StepTile
  /** Whether the weights are float16. */
  isHalf?: boolean
  /** Whether the rows' writer knew their norm. */
  isExact?: boolean
  products: readonly ('logits' | 'gated' | 'add' | 'qkv')[]
}
const byK = (subgroups: number, depth: number): StepTile => {
  return { divide: 'k', subgroups, columnBlocks: 1, depth }
}
const byColumns = (columnBlocks: number, depth: number, rowDepth: number, splits: number): StepTile => {
  return { divide: 'columns', subgroups: 2, columnBlocks, depth, rowDepth, splits }
}
const all = ['logits', 'gated', 'add', 'qkv'] as const
const cases: readonly Case[] = [
  { rows: 1, inner: 16, tile: byK(2, 16), isHalf: true, products: all },
  { rows: 9, inner: 96, tile: byK(2, 32), products: ['qkv'] },
  { rows: 2, inner: 112, tile: byK(2, 16), products: ['logits', 'add'] },
  { rows: 2, inner: 96, tile: byK(2, 16), products: ['gated'] },
  { rows: 20, inner: 32, tile: byK(2, 32), isHalf: true, products: ['gated', 'qkv'] },
  { rows: 70, inner: 32, tile: byK(4, 32), products: ['add'] },
  { rows: 20, inner: 64, tile: byColumns(2, 16, 32, 1), products: ['gated'] },
  { rows: 3, inner: 48, tile: byColumns(1, 16, 48, 1), isHalf: true, products: ['logits', 'gated'] },
  { rows: 3, inner: 32, tile: byColumns(1, 16, 32, 1), products: ['add'] },
  { rows: 16, inner: 32, tile: byColumns(1, 16, 32, 1), isExact: true, products: ['logits', 'gated'] },
  { rows: 2, inner: 32, tile: byK(2, 16), isExact: true, products: ['logits'] },
  { rows: 20, inner: 96, tile: byColumns(1, 32, 32, 2), products: ['add', 'qkv'] },
  { rows: 70, inner: 80, tile: byColumns(1, 16, 16, 3), isHalf: true, isExact: true, products: ['qkv'] },
]

const textOf = (tile: StepTile): string =>
  tile.divide === 'k'
    ? `${tile.subgroups} subgroups dividing k`
    : `subgroups of ${tile.columnBlocks} blocks dividing columns, ${tile.splits} workgroups dividing k`

for (const { rows, inner, tile, isHalf = false, isExact = false, products } of cases) {
  const test = (name: Case['products'][number], what: string, body: (t: Test) => Promise<void>) =>
    products.includes(name) ? t.test(what, body) : undefined
  const what = `${rows} rows of ${inner}${isExact ? ' with an exact norm' : ''}, ${textOf(tile)}`
  const weightOf = (shape: readonly number[], data: Float32Array<ArrayBuffer>) =>
    isHalf ? half(device, shape, data) : given(device, shape, data)
  const tiledOf = (recording: Recording, weights: StepWeights) => {
    const tiled = recording.tensor('tiles', [tiledSize(weights)], 'f16')
    tileWeights(recording, weights, tiled)
    return tiled
  }

  await test('logits', `logits of ${what} are those of the exact norm`, async t => {
    const columns = isExact ? 64 : 55
    const x = normed(rows, inner, 1, isExact)
    const weight = halved(noise(columns * inner, 4))
    const logits = device.tensor('logits', [rows, columns])
    await runInFloat16(device, recording => {
      const weights = logitsWeights(weightOf([columns, inner], weight), { columns, tile, inner })
      const tiled = tiledOf(recording, weights)
      stepLogits(recording, { tiled, columns, tile, x: x.tensors, rows, logits })
    })
    const wanted = Array.from({ length: rows * columns }, (_, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns]
      return dot(
        inner,
        k => x.exact(row, k),
        k => weight[column * inner + k],
      )
    })
    close(t, await device.read(logits), wanted, 2e-6, what)
    if (isExact) return
    const scales = await device.read(x.tensors.scales)
    close(t, scales.subarray(0, rows), x.scales, 2e-6, `scales of ${what}`)
  })

  await test('gated', `gated products of ${what} are silu of one times the other`, async t => {
    const columns = 32
    const x = normed(rows, inner, 2, isExact)
    const [gate, up] = [5, 6].map(seed => halved(noise(columns * inner, seed)))
    const out = empty(blocksOf(rows, 32))
    await runInFloat16(device, recording => {
      const [gateWeight, upWeight] = [gate, up].map(data => weightOf([columns, inner], data))
      const tiled = tiledOf(recording, gatedWeights(gateWeight, upWeight, { columns, tile, inner }))
      gatedProjection(recording, { tiled, columns, tile, x: x.tensors, rows, out })
    })
    const wanted: number[] = []
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const of = (weight: Values) =>
          dot(
            inner,
            k => x.exact(row, k),
            k => weight[column * inner + k],
          )
        wanted.push((of(gate) / (1 + Math.exp(-of(gate)))) * of(up))
      }
    const found = await readBlocks(device, out, rows, 32)
    close(t, found, wanted, 2 ** -11, what)
  })

  await test('add', `products of ${what} are added to the stream, and prepare the next norm`, async t => {
    const columns = 32
    const rowsIn = halved(noise(rows * inner, 7))
    const weight = halved(noise(columns * inner, 8))
    const stream = noise(rows * columns, 9, 6)
    const gain = noise(columns, 10)
    const padded = squaresOf(rows, 1)[1]
    const scales = Float32Array.from({ length: padded }, (_, row) => 0.2 + row / 50)
    const x = given(device, [rows, columns], stream.slice())
    const parts = squareParts(columns, tile)
    const next = {
      rows: empty(blocksOf(rows, columns)),
      squares: parts === undefined ? undefined : device.tensor('squares', squaresOf(rows, parts)),
      scales: device.tensor('scales', [padded]),
      size: columns,
      epsilon,
    }
    await runInFloat16(device, recording => {
      const of = { inner, columns, tile }
      addProjection(recording, {
        ...of,
        tiled: tiledOf(recording, addWeights(weightOf([columns, inner], weight), of)),
        from: blocks(device, rows, inner, rowsIn),
        x,
        scales: given(device, [padded], scales),
        gain: given(device, [columns], gain),
        next,
        rows,
      })
    })
    const wanted = Array.from(stream, (value, i) => {
      const [row, column] = [Math.floor(i / columns) * inner, (i % columns) * inner]
      const product = dot(
        inner,
        k => rowsIn[row + k],
        k => weight[column + k],
      )
      return value + product
    })
    close(t, await device.read(x), wanted, 2e-6, `stream of ${what}`)
    const sums = Array.from({ length: rows }, (_, row) =>
      wanted.slice(row * columns, (row + 1) * columns).reduce((sum, value) => sum + value * value, 0),
    )
    // Where subgroups divide the columns, another kernel ends whole rows, and knows their exact scales.
    const exact = sums.map(sum => 1 / Math.sqrt(sum / columns + epsilon))
    const used = parts === undefined ? exact : scales
    const scaled = wanted.map((value, i) => value * gain[i % columns] * used[Math.floor(i / columns)])
    close(t, await readBlocks(device, next.rows, rows, columns), scaled, 2 ** -11, `rows of ${what}`)
    if (parts === undefined || !next.squares)
      return close(t, (await device.read(next.scales)).slice(0, rows), exact, 2e-6, `scales of ${what}`)
    const squares = await device.read(next.squares)
    const totals = sums.map((_, row) => {
      let total = 0
      for (let part = 0; part < parts; part++) total += squares[part * padded + row]
      return total
    })
    close(t, totals, sums, 2e-6, `squares of ${what}`)
    const found = squares.slice(parts * padded, parts * padded + rows)
    close(t, found, scales.subarray(0, rows), 2e-6, `scale of ${what}`)
  })

  await test(
    'qkv',
    `queries, keys and values of ${what} are biased, rotated and put into the cache`,
    async t => {
      const [heads, keyValueHeads, headSize, capacity] = [4, 2, 32, 4]
      const times = Uint32Array.from({ length: rows }, (_, row) => 2 - (row % 3))
      const outputs = (heads + 2 * keyValueHeads) * headSize
      const x = normed(rows, inner, 11, isExact)
      const weights = [heads, keyValueHeads, keyValueHeads].map((count, i) =>
        halved(noise(count * headSize * inner, 12 + i)),
      )
      const bias = noise(outputs, 15)
      const starts = Uint32Array.from({ length: rows }, (_, row) => 3 + (row % 5))
      const angles = noise(12 * headSize, 16)
      const room = rows + 16
      const queries = empty([keyValueHeads, room, 2, headSize])
      const slots = 2 * rows * capacity * keyValueHeads * headSize
      const cache = empty([2, rows, capacity, keyValueHeads * headSize])
      const of = { heads, keyValueHeads, headSize, tile }
      const matrices = weights.map(data => weightOf([data.length / inner, inner], data))
      await runInFloat16(device, recording =>
        attentionInputs(recording, {
          ...of,
          tiled: tiledOf(recording, attentionInputWeights(matrices, { ...of, inner })),
          x: x.tensors,
          rows,
          queries,
          cache,
          bias: given(device, [outputs], bias),
          turns: {
            angles: given(device, [12, headSize / 2, 2], angles),
            starts: given(device, [rows], starts),
          },
          position: given(device, [rows], times),
          capacity,
        }),
      )
      const all = Float32Array.from(weights.flatMap(data => Array.from(data)))
      const projected = (row: number, output: number) =>
        bias[output] +
        dot(
          inner,
          k => x.exact(row, k),
          k => all[output * inner + k],
        )
      const rotated = (row: number, head: number, j: number) => {
        const [low, high] = [0, 1].map(i =>
          projected(row, head * headSize + (j % (headSize / 2)) + (i * headSize) / 2),
        )
        const at = ((starts[row] + times[row]) * headSize) / 2 + (j % (headSize / 2))
        const [cosine, sine] = [angles[2 * at], angles[2 * at + 1]]
        return j < headSize / 2 ? low * cosine - high * sine : high * cosine + low * sine
      }
      const wantedQueries = new Float32Array(room * heads * headSize)
      const wantedCache = new Float32Array(slots)
      const width = keyValueHeads * headSize
      for (let row = 0; row < rows; row++)
        for (let j = 0; j < headSize; j++) {
          for (let head = 0; head < heads; head++) {
            const at = ((Math.floor(head / 2) * room + row) * 2 + (head % 2)) * headSize + j
            wantedQueries[at] = rotated(row, head, j)
          }
          for (let head = 0; head < keyValueHeads; head++) {
            const at = (row * capacity + times[row]) * width + head * headSize + j
            wantedCache[at] = rotated(row, heads + head, j)
            wantedCache[rows * capacity * width + at] = projected(
              row,
              (heads + keyValueHeads + head) * headSize + j,
            )
          }
        }
      close(t, await device.read(queries), wantedQueries, 2 ** -11, `queries of ${what}`)
      close(t, await device.read(cache), wantedCache, 2 ** -11, `cache of ${what}`)
    },
  )
}

import t from 'tap'
import type { Tensor } from '../../../kernels/device/tensor.ts'
import { pack, visualTokensOf } from '../../../kernels/networks/packing.ts'
import type { ModelShape } from '../../../kernels/networks/shape.ts'

t.test('completions share their prompt and each continues its positions', async t => {
  const packing = pack([{ ids: [5, 6], completions: [[7, 8, 9], [4]] }], () => ({ count: 0 }), 100)
  t.equal(packing.rows, 4, 'a last token needs no row')
  t.same(packing.positions, [0, 1, 2, 3])
  t.same(packing.segments, [0, 0, 1, 1])
  t.same(packing.parents, [0, 0, 0, 0])
  t.same(packing.supervisedTokens, [
    { row: 1, target: 7 },
    { row: 2, target: 8 },
    { row: 3, target: 9 },
    { row: 1, target: 4 },
  ])
})

t.test('the visual tokens replace the image placeholder', async t => {
  const packing = pack([{ ids: [1, -200, 2] }], () => ({ count: 3 }), 100)
  t.same(packing.visual, [
    [
      { to: 1, from: 0 },
      { to: 2, from: 1 },
      { to: 3, from: 2 },
    ],
  ])
  t.same(packing.tokens, [
    { to: 0, from: 1 },
    { to: 4, from: 2 },
  ])
  t.same(packing.lastRows, [4])
})

t.test('several placeholders share the visual tokens of a clip in order', async t => {
  const packing = pack([{ ids: [-200, 7, -200] }], () => ({ count: 4 }), 100)
  t.same(packing.visual, [
    [
      { to: 0, from: 0 },
      { to: 1, from: 1 },
      { to: 3, from: 2 },
      { to: 4, from: 3 },
    ],
  ])
  t.same(packing.tokens, [{ to: 2, from: 7 }])
  t.throws(() => pack([{ ids: [-200, -200] }], () => ({ count: 3 }), 100), /2 places .* 3 visual tokens/)
})

t.test(
  'visual tokens with a grid have a row and a column, and text goes on after the longer side',
  async t => {
    const grid = { rows: 2, columns: 3 }
    const sequence = { ids: [1, 2, -200, 3, -200], completions: [[4, 5]] }
    const packing = pack([sequence], () => ({ count: 12, grid }), 100)
    t.same(packing.positions, [0, 1, 2, 2, 2, 2, 2, 2, 5, 6, 6, 6, 6, 6, 6, 9])
    t.same(packing.gridRows, [0, 1, 2, 2, 2, 3, 3, 3, 5, 6, 6, 6, 7, 7, 7, 9])
    t.same(packing.gridColumns, [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 9])
    t.same(packing.prompts, [{ start: 0, length: 15, next: 9 }])
    t.throws(
      () => pack([{ ids: [-200, -200, -200] }], () => ({ count: 12, grid }), 100),
      /3 places .* must be one for each moment of a clip with 12 visual tokens, 2 × 3 of a moment/,
    )
  },
)

t.test(
  'moments in one place have positions in time, and text goes on after the last of all three',
  async t => {
    const grid = { rows: 1, columns: 3 }
    const positionsAt = (interval: number) => {
      const packing = pack([{ ids: [1, -200, 3] }], () => ({ count: 9, grid, interval }), 100)
      return [packing.positions, packing.gridRows, packing.gridColumns]
    }
    t.same(positionsAt(4), [
      [0, 1, 1, 1, 5, 5, 5, 9, 9, 9, 10],
      [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10],
      [0, 1, 2, 3, 1, 2, 3, 1, 2, 3, 10],
    ])
    t.same(
      positionsAt(0.75)[0],
      [0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 4],
      'cut to whole positions, and columns are more',
    )
  },
)

t.test('a prompt whose positions depend on time must say how far moments are apart', async t => {
  const grid = { unit: 4, step: 2, levels: 1, positionsPerSecond: 2 }
  const shape = {
    vision: { grid },
    connector: { visualTokens: (count: number) => count },
  } as unknown as ModelShape
  const features = { shape: [3, 1, 2, 2, 8] } as unknown as Tensor
  const found = visualTokensOf(shape)({ ids: [], features, momentSeconds: 1.5 })
  t.same(found, { count: 12, grid: { rows: 2, columns: 2 }, interval: 3 })
  t.throws(
    () => visualTokensOf(shape)({ ids: [], features }),
    /must say how many seconds lie between the moments/,
  )
})

t.test('a label supervises the row before it, never a visual token', async t => {
  const packing = pack([{ ids: [1, -200, 2, 3], labels: [-100, -100, -100, 3] }], () => ({ count: 2 }), 100)
  t.same(packing.supervisedTokens, [{ row: 3, target: 3 }])
})

t.test('a prompt that is too long is truncated, with its labels', async t => {
  const packing = pack([{ ids: [1, -200, 2, 3], labels: [-100, -100, 2, 3] }], () => ({ count: 2 }), 4)
  t.equal(packing.rows, 4)
  t.same(packing.supervisedTokens, [{ row: 2, target: 2 }])
})

t.test('each sequence starts at position 0 and does not see the others', async t => {
  const packing = pack([{ ids: [1, 2], completions: [[3, 3]] }, { ids: [4] }], () => ({ count: 0 }), 100)
  t.same(packing.positions, [0, 1, 2, 0])
  t.same(packing.segments, [0, 0, 1, 2])
  t.same(packing.parents, [0, 0, 0, 2])
  t.same(packing.prompts, [
    { start: 0, length: 2, next: 2 },
    { start: 3, length: 1, next: 1 },
  ])
})

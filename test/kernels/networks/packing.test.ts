import t from 'tap'
import { pack } from '../../../kernels/networks/packing.ts'

t.test('completions share their prompt and each continues its positions', async t => {
  const packing = pack([{ ids: [5, 6], completions: [[7, 8, 9], [4]] }], () => 0, 100)
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
  const packing = pack([{ ids: [1, -200, 2] }], () => 3, 100)
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
  const packing = pack([{ ids: [-200, 7, -200] }], () => 4, 100)
  t.same(packing.visual, [
    [
      { to: 0, from: 0 },
      { to: 1, from: 1 },
      { to: 3, from: 2 },
      { to: 4, from: 3 },
    ],
  ])
  t.same(packing.tokens, [{ to: 2, from: 7 }])
  t.throws(() => pack([{ ids: [-200, -200] }], () => 3, 100), /2 places .* 3 visual tokens/)
})

t.test('a label supervises the row before it, never a visual token', async t => {
  const packing = pack([{ ids: [1, -200, 2, 3], labels: [-100, -100, -100, 3] }], () => 2, 100)
  t.same(packing.supervisedTokens, [{ row: 3, target: 3 }])
})

t.test('a prompt that is too long is truncated, with its labels', async t => {
  const packing = pack([{ ids: [1, -200, 2, 3], labels: [-100, -100, 2, 3] }], () => 2, 4)
  t.equal(packing.rows, 4)
  t.same(packing.supervisedTokens, [{ row: 2, target: 2 }])
})

t.test('each sequence starts at position 0 and does not see the others', async t => {
  const packing = pack([{ ids: [1, 2], completions: [[3, 3]] }, { ids: [4] }], () => 0, 100)
  t.same(packing.positions, [0, 1, 2, 0])
  t.same(packing.segments, [0, 0, 1, 2])
  t.same(packing.parents, [0, 0, 0, 2])
  t.same(packing.prompts, [
    { start: 0, length: 2 },
    { start: 3, length: 1 },
  ])
})

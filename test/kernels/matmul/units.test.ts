import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { agree, type Case } from './matmul-cases.ts'

// Sizes around a block, a chunk of 8, a step of 32 k and a tile; some strides forbid wide loads.
const forms = ['nt', 'nn', 'tn'] as const
const sizes = [
  { rows: 1, columns: 1, inner: 1 },
  { rows: 35, columns: 42, inner: 33 },
  { rows: 64, columns: 72, inner: 48 },
]
// Emulated blocks compile slowly: few of them, but more than one each way.
const tile = { rowSubgroups: 2, columnSubgroups: 1, rowBlocks: 1, columnBlocks: 2, depth: 16 }
const cases: Case[] = forms.flatMap(form => sizes.map(size => ({ form, ...size, tile })))
const misplaced: Case[] = forms.map(form => ({
  form,
  rows: 34,
  columns: 12,
  inner: 13,
  out: { offset: 4, rowStride: 16 },
  a: { offset: 8, rowStride: 40 },
  b: { offset: 3, rowStride: 41 },
  tile,
  bias: true,
  residual: true,
  scale: 0.5,
  accumulate: true,
}))
// Two sequences of 5 positions with four query heads of 8, two key heads; then the gradient of a key head.
const scores = { rowStride: 5, outer: 100, inner: 25 }
const heads: Case[] = [
  {
    form: 'nt',
    rows: 5,
    columns: 5,
    inner: 8,
    batch: { outer: 2, inner: 4 },
    out: scores,
    tile,
    ...{
      a: { rowStride: 32, outer: 160, inner: 8 },
      b: { rowStride: 16, outer: 80, inner: 8, innerDivisor: 2 },
    },
  },
  {
    form: 'tn',
    rows: 5,
    columns: 8,
    inner: 5,
    batch: { outer: 2, inner: 2 },
    a: { ...scores, inner: 50 },
    b: { rowStride: 32, outer: 160, inner: 16 },
    out: { rowStride: 16, outer: 80, inner: 8 },
    repeat: { count: 2, a: 25, b: 8 },
    tile,
  },
]

const device = await openDevice({ family: 'gpu', units: 'emulated' })
t.teardown(() => device.close())

const exact = { precision: 'float16', bound: 2e-6 } as const

await t.test('blocks of float16 agree with the reference', async t => {
  await agree(t, device, [cases[0], cases[1], cases[4], cases[7]], { ...exact, types: {} })
})

await t.test('factors can be stored as float16', async t => {
  const stored = { ...exact, types: { a: 'f16', b: 'f16' } } as const
  await agree(t, device, [cases[2], cases[5], cases[8]], stored)
})

await t.test('matrices can start anywhere, and heads can lie between each other', async t => {
  await agree(t, device, [misplaced[1], ...heads], { ...exact, types: {} })
})

await t.test('results can be float16, and end in an activation', async t => {
  const types = { b: 'f16', out: 'f16' } as const
  const ended = { ...misplaced[0], activation: 'gelu-tanh' } as const
  await agree(t, device, [ended], { precision: 'float16', types, bound: 2 ** -11 })
})

await t.test('results can be gated by float16 that lie as they do', async t => {
  const types = { b: 'f16', out: 'f16', gate: 'f16' } as const
  const half = { precision: 'float16', types, bound: 2 ** -11 } as const
  await agree(t, device, [{ ...misplaced[0], gate: true }], half)
  await agree(t, device, [{ form: 'nt', rows: 18, columns: 20, inner: 16, tile, gate: true }], half)
})

await t.test('wider cuts agree beyond their edges', async t => {
  const wide = { rowSubgroups: 1, columnSubgroups: 2, rowBlocks: 1, columnBlocks: 2, depth: 32 }
  const size = { form: 'nt', rows: 18, columns: 68, inner: 72, tile: wide } as const
  await agree(t, device, [size], { precision: 'float16', types: { b: 'f16' }, bound: 2e-6 })
})

await t.test('subgroups can share the k of a step, and the last step can be short', async t => {
  const halved = { rowSubgroups: 1, columnSubgroups: 1, rowBlocks: 1, columnBlocks: 1, depth: 32, parts: 2 }
  const one = { rowSubgroups: 1, columnSubgroups: 1, rowBlocks: 1, columnBlocks: 1, depth: 16 }
  const size = { form: 'nt', rows: 18, columns: 20 } as const
  const types = { a: 'f16', b: 'f16' } as const
  await agree(
    t,
    device,
    [
      { ...size, inner: 64, tile: halved },
      // Four whole steps and a part of one.
      { ...size, inner: 72, tile: one },
    ],
    { ...exact, types },
  )
})

await t.test('tiles that would reach past the end are moved back, and write only what is theirs', async t => {
  const moved = { columns: 40, tile, residual: true, accumulate: true, scale: 0.5 }
  const whole: Case[] = [
    { form: 'nt', rows: 35, inner: 48, ...moved },
    { form: 'nt', rows: 33, inner: 40, ...moved },
    { form: 'nn', rows: 35, inner: 37, ...moved },
    { form: 'tn', rows: 40, inner: 21, ...moved },
  ]
  await agree(t, device, [whole[1], whole[3]], { ...exact, types: { a: 'f16', b: 'f16' } })
  await agree(t, device, [whole[0], whole[2]], { ...exact, types: {} })
})

await t.test('the next step can come while the last blocks of a step are multiplied', async t => {
  const over = { ...tile, columnBlocks: 1, depth: 32, isOver: true, band: 1 }
  const sizes = { rows: 40, columns: 24, tile: over }
  await agree(
    t,
    device,
    [
      { form: 'nt', ...sizes, inner: 64 },
      { form: 'nn', ...sizes, inner: 20 },
      { form: 'tn', ...sizes, inner: 100 },
    ],
    { ...exact, types: { a: 'f16', b: 'f16' } },
  )
})

await t.test('more lanes than results of a strip agree', async t => {
  const skinny = { rowSubgroups: 1, columnSubgroups: 1, rowBlocks: 2, columnBlocks: 1, depth: 64, parts: 4 }
  const size = { rows: 35, columns: 16, inner: 136, tile: skinny } as const
  await agree(t, device, [{ form: 'nt', ...size }], { ...exact, types: { a: 'f16' } })
  await agree(t, device, [{ form: 'nn', ...size, bias: true }], { ...exact, types: { b: 'f16' } })
})

await t.test('few rows agree: with weights read in blocks, and divided among subgroups', async t => {
  const precise = { precision: 'float16', types: { b: 'f16' }, bound: 2e-6 } as const
  const narrow = {
    form: 'nt',
    rows: 3,
    columns: 32,
    inner: 128,
    tile: { subgroups: 2, columnBlocks: 1 },
  } as const
  const wide = {
    form: 'nt',
    rows: 20,
    columns: 64,
    inner: 64,
    tile: { subgroups: 2, columnBlocks: 2 },
    bias: true,
  } as const
  await agree(t, device, [narrow, wide], precise)
})

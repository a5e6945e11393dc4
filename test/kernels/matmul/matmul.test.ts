import t, { type Test } from 'tap'
import type { Device } from '../../../kernels/device/device.ts'
import { matmul, matmulReference } from '../../../kernels/matmul/matmul.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { close, noise, onEachFamily } from '../support.ts'
import { agree, type Case, run } from './matmul-cases.ts'

// Sizes around one lane, a quad, the rows and columns of a workgroup and a tile; some strides forbid vector loads.
// Compiling costs more than running: the cases share a few variants.
const shapes: Case[] = [
  { form: 'nt', rows: 1, columns: 1, inner: 1 },
  { form: 'nt', rows: 1, columns: 17, inner: 8 },
  { form: 'nt', rows: 3, columns: 16, inner: 4 },
  { form: 'nt', rows: 7, columns: 33, inner: 31 },
  { form: 'nt', rows: 8, columns: 130, inner: 260 },
  { form: 'nt', rows: 17, columns: 9, inner: 7 },
  { form: 'nt', rows: 33, columns: 65, inner: 516 },
  { form: 'nt', rows: 65, columns: 31, inner: 17 },
  { form: 'nt', rows: 40, columns: 16, inner: 33, a: { rowStride: 36 }, b: { rowStride: 40 } },
  { form: 'nn', rows: 1, columns: 3, inner: 9 },
  { form: 'nn', rows: 7, columns: 16, inner: 33, b: { rowStride: 20 } },
  { form: 'nn', rows: 9, columns: 130, inner: 8, b: { rowStride: 132 } },
  { form: 'nn', rows: 16, columns: 1, inner: 1 },
  { form: 'nn', rows: 31, columns: 33, inner: 17 },
  { form: 'nn', rows: 65, columns: 72, inner: 272 },
  { form: 'tn', rows: 1, columns: 1, inner: 3 },
  { form: 'tn', rows: 7, columns: 8, inner: 9 },
  { form: 'tn', rows: 8, columns: 33, inner: 16, b: { rowStride: 36 } },
  { form: 'tn', rows: 17, columns: 31, inner: 65, a: { rowStride: 20 }, b: { rowStride: 32 } },
  { form: 'tn', rows: 33, columns: 65, inner: 131 },
  { form: 'tn', rows: 68, columns: 68, inner: 258 },
]

const forms = ['nt', 'nn', 'tn'] as const

// Three sequences of five positions with four heads of six, kept as (position, head, size); two key heads for four.
const heads = { batch: { outer: 3, inner: 4 }, rows: 5 }
const perHead = { rowStride: 24, outer: 5 * 24, inner: 6 }
const perKeyHead = { rowStride: 12, outer: 5 * 12, inner: 6, innerDivisor: 2 }
const scores = { rowStride: 5, outer: 100, inner: 25 }
const batches: Case[] = [
  { ...heads, form: 'nt', columns: 5, inner: 6, a: perHead, b: perKeyHead, out: scores, scale: 0.4 },
  { ...heads, form: 'nt', columns: 5, inner: 6, a: perKeyHead, b: perHead, out: scores },
  { ...heads, form: 'nn', columns: 6, inner: 5, a: scores, b: perKeyHead, out: perHead },
  { ...heads, form: 'tn', columns: 6, inner: 5, a: scores, b: perHead, out: perHead },
  // each key head's gradient is the sum over its two query heads
  {
    form: 'tn',
    rows: 5,
    columns: 6,
    inner: 5,
    batch: { outer: 3, inner: 2 },
    ...{
      a: { ...scores, inner: 50 },
      b: { ...perHead, inner: 12 },
      out: { rowStride: 12, outer: 60, inner: 6 },
    },
    repeat: { count: 2, a: 25, b: 6 },
  },
  {
    form: 'nt',
    rows: 18,
    columns: 9,
    inner: 8,
    scale: -2,
    accumulate: true,
    a: { rowStride: 16 },
    b: { rowStride: 16 },
    out: { rowStride: 12 },
    repeat: { count: 2, a: 8, b: 8 },
  },
]

await onEachFamily(t, async (device, t) => {
  await t.test('every form agrees with the reference and writes nothing else', async t => {
    await agree(t, device, shapes)
  })

  await t.test('bias, residual, scale and accumulation come after the product', async t => {
    const extras = { bias: true, residual: true, scale: 0.3, accumulate: true }
    // the code is the same for every form, and compiling for tiles takes long here
    const tested = device.family === 'cpu' ? forms : (['nn'] as const)
    await agree(
      t,
      device,
      tested.map(form => ({ form, rows: 9, columns: 19, inner: 13, ...extras })),
    )
  })

  await t.test('a product can end in an activation', async t => {
    const size = { rows: 9, columns: 19, inner: 13, bias: true }
    const tested =
      device.family === 'cpu' ? (['silu', 'gelu-tanh', 'gelu-erf'] as const) : (['silu'] as const)
    await agree(
      t,
      device,
      tested.map(activation => ({ form: 'nt', ...size, activation })),
    )
  })

  await t.test('a product can be gated, wherever it lies', t => gatesProducts(device, t))

  await t.test('matrices can start anywhere, and heads can lie between each other', async t => {
    const misplaced = forms.map(
      (form, i): Case => ({
        form,
        rows: 34,
        columns: 11,
        inner: 13,
        out: { offset: 5 },
        a: { offset: 1 + i, rowStride: 16 },
        b: { offset: 3, rowStride: 13 },
      }),
    )
    await agree(t, device, [...misplaced, ...batches])
  })

  await t.test('no inner extent leaves bias and residual', async t => {
    await agree(t, device, [{ form: 'nn', rows: 9, columns: 5, inner: 0, bias: true, residual: true }])
  })

  await t.test('one tensor can be both factors', t => takesOneTensorTwice(device, t))

  await t.test('long sums stay accurate', t => sumsAccurately(device, t))

  await t.test('a row has the same bits alone, among 8, among 20 and in a batch', t => keepsBits(device, t))

  await t.test('elements outside a tensor, places shared in a batch and tensors bound twice are refused', t =>
    refusesOutside(device, t),
  )
})

async function gatesProducts(device: Device, t: Test) {
  const size = { form: 'nt', rows: 9, columns: 19, inner: 13, gate: true } as const
  await agree(t, device, [{ ...size, bias: true, out: { offset: 3, rowStride: 21 } }])
  await agree(t, device, [{ ...size, rows: 33, columns: 64 }])
  const [a, out, gate] = [
    [9, 4],
    [9, 9],
    [9, 9],
  ].map(shape => device.tensor('given', shape))
  const gated = { form: 'nt', rows: 9, columns: 9, inner: 4, a, b: a, out } as const
  const recording = new Recording(device)
  t.throws(() => matmul(recording, { ...gated, gate, activation: 'silu' }), /an activation or a gate/)
  t.throws(() => matmul(recording, { ...gated, gate: out }), /bound twice/)
  t.throws(() => matmul(recording, { ...gated, gate: a }), /gate: must hold element 80/)
}

async function takesOneTensorTwice(device: Device, t: Test) {
  const values = noise(20 * 8)
  const out = device.tensor('out', [20, 20])
  const recording = new Recording(device)
  const held = recording.constant('held', [20, 8], values)
  const sizes = { form: 'nt', rows: 20, columns: 20, inner: 4 } as const
  matmul(recording, { ...sizes, a: held, b: { tensor: held, offset: 4 }, out })
  await run(device, recording)
  const wanted = new Float64Array(400)
  const b = { tensor: values, offset: 4, rowStride: 8 }
  matmulReference({ ...sizes, a: { tensor: values, rowStride: 8 }, b, out: wanted })
  close(t, await device.read(out), wanted, 1e-6)
}

async function sumsAccurately(device: Device, t: Test) {
  const inner = 12000
  for (const form of forms) {
    const values = noise(4 * inner, 4, 1).map(value => value + 0.5)
    const a = device.tensor('a', form === 'tn' ? [inner, 4] : [4, inner], 'f32', values)
    const b = device.tensor('b', form === 'nt' ? [4, inner] : [inner, 4], 'f32', values.slice().reverse())
    const out = device.tensor('out', [4, 4])
    const recording = new Recording(device)
    const sizes = { form, rows: 4, columns: 4, inner }
    matmul(recording, { ...sizes, a, b, out })
    await run(device, recording)
    const wanted = new Float64Array(16)
    matmulReference({ ...sizes, a: values, b: values.slice().reverse(), out: wanted })
    close(t, await device.read(out), wanted, 2e-6, form)
  }
}

async function keepsBits(device: Device, t: Test) {
  const [columns, inner] = [21, 300]
  const a = device.tensor('a', [20, inner], 'f32', noise(20 * inner, 5))
  const b = device.tensor('b', [columns, inner], 'f32', noise(columns * inner, 6))
  const found: Float32Array[] = []
  for (const [rows, outer] of [
    [20, 1],
    [8, 1],
    [1, 1],
    [2, 10],
  ] as const) {
    const out = device.tensor('out', [outer, rows, columns])
    const recording = new Recording(device)
    const strides = { outer: rows * inner, inner: 0 }
    const sizes = { form: 'nt', rows, columns, inner, batch: { outer, inner: 1 } } as const
    matmul(recording, {
      ...sizes,
      a: { tensor: a, ...strides },
      b,
      out: { tensor: out, outer: rows * columns },
    })
    await run(device, recording)
    found.push(await device.read(out))
  }
  for (const values of found) t.same(values, found[0].subarray(0, values.length))
}

async function refusesOutside(device: Device, t: Test) {
  const small = device.tensor('small', [4, 4])
  const big = device.tensor('big', [8, 8])
  const recording = new Recording(device)
  const sizes = { form: 'nt', rows: 4, columns: 4, inner: 4, b: big } as const
  t.throws(
    () => matmul(recording, { ...sizes, a: { tensor: small, offset: 1 }, out: device.tensor('out', [4, 4]) }),
    { message: 'matmul a: must hold element 16, got small (4, 4)' },
  )
  t.throws(() => matmul(recording, { ...sizes, a: small, out: big, batch: { outer: 2, inner: 1 } }), {
    message: 'matmul out: every matrix of the batch must have a place of its own',
  })
  t.throws(() => matmul(recording, { ...sizes, a: small, out: small }), /small is bound twice/)
}

import t from 'tap'
import { decode, encode } from '../../../engine/over/message.ts'
import { decodeOrder, decodeReply, encodeOrder, encodeReply } from '../../../engine/over/packing.ts'
import { jsonForm } from '../../../engine/wire-form.ts'

const numbers = new Float32Array([1, -2.5, Number.NaN, 3e38])
const tensor = { dtype: 'f32', shape: [2, 2], data: new Uint8Array(numbers.buffer) } as const

t.test('JSON and tensors arrive as they were sent, bit by bit', async t => {
  const sent = {
    json: { text: 'ä', list: [1.1, null] },
    tensors: { a: tensor, empty: { dtype: 'u8', shape: [0], data: new Uint8Array() } },
  } as const
  const { json, tensors } = decode(encode(sent))
  t.same(json, sent.json)
  t.same(tensors?.a?.shape, [2, 2])
  t.same([...(tensors?.a?.data ?? [])], [...tensor.data])
  t.equal(tensors?.empty?.data.length, 0)
})

t.test('a message that was changed on the way is refused', async t => {
  const bytes = encode({ json: {}, tensors: { a: tensor } })
  const flipped = Uint8Array.from(bytes)
  flipped[bytes.length - 1] = (flipped[bytes.length - 1] ?? 0) ^ 1
  t.throws(() => decode(flipped), /tensor "a" differs from its checksum/)
  t.throws(() => decode(bytes.subarray(0, bytes.length - 3)), /must have 16 bytes, has 13/)
  t.throws(() => decode(Buffer.concat([bytes, bytes])), /its header says/)
  t.throws(() => decode(new Uint8Array(3)), /it has no header/)
  t.throws(() => decode(new Uint8Array(64)), /it has no header/)
})

t.test('a tensor whose bytes do not fit its shape is refused before it is sent', async t => {
  t.throws(
    () => encode({ json: 0, tensors: { a: { ...tensor, shape: [3, 2] } } }),
    /must have 24 bytes, has 16/,
  )
})

t.test('an order and a reply carry what they were made of', async t => {
  const about = { id: '7', port: 'a.b', key: 'k', source: 's', latest: { 'a.w': { value: 3 } } }
  const { order, packed } = decodeOrder(encodeOrder(about, { json: 'v', tensors: { a: tensor } }))
  t.same(order, { ...about, value: 'v' })
  t.equal(packed.tensors?.a?.data.length, 16)
  const faults = [{ node: 'n', key: 'k', code: undefined, message: 'm' }]
  const outcomes = [1, 2].map(i => ({ port: 'x.y', key: String(i), bytes: encode({ json: i }) }))
  const { reply, outcomes: back } = decodeReply(
    encodeReply({ id: '7', worker: 'w', faults, isLeft: true }, outcomes),
  )
  t.match(reply, { id: '7', worker: 'w', isLeft: true, faults: [{ node: 'n', message: 'm' }] })
  t.same(
    back.map(({ key, bytes }) => [key, decode(bytes).json]),
    [
      ['1', 1],
      ['2', 2],
    ],
  )
})

t.test('what JSON would change silently is refused, with its place', async t => {
  const context = {
    signal: AbortSignal.abort(),
    resource: () => undefined as never,
    shared: () => undefined as never,
  }
  t.same(await jsonForm.pack({ a: [1, 'x', null, { b: undefined }] }, context), {
    json: { a: [1, 'x', null, { b: undefined }] },
  })
  for (const [value, found] of [
    [{ a: [Number.NaN] }, /value\.a\.0: must be plain JSON .* found NaN/],
    [{ f: () => 0 }, /value\.f: .*/],
    [{ x: new Float32Array(2) }, /value\.x: .* found Float32Array/],
    [new Map(), /value: .* found Map/],
    [10n, /value: .* found 10/],
  ] as const)
    t.throws(() => jsonForm.pack(value, context), found)
})

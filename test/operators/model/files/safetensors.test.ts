import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { openSafetensors, readBytes, readTensor } from '../../../../operators/model/files/safetensors.ts'
import { writeSafetensors } from '../../../../operators/model/files/safetensors-write.ts'
import { problemsOf, temporaryFolder } from '../checkpoint/tiny-checkpoint.ts'

/** A file with this header, right or wrong, and this number of data bytes. */
function fileOf(header: unknown, dataBytes: number): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)])
}

const tensor = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32') => {
  return { dtype, shape, data_offsets: [begin, end] }
}

const hugeLength = Buffer.alloc(16)
hugeLength.writeBigUInt64LE(2n ** 62n)

const broken: [what: string, bytes: Buffer, expected: [code: string, message: string][]][] = [
  [
    'an empty file',
    Buffer.alloc(0),
    [['truncated-file', 'x.st: truncated: 0 bytes, a header needs at least 8']],
  ],
  [
    'something else',
    hugeLength,
    [
      [
        'bad-header',
        'x.st: header length must be 2 to 100000000 bytes, got 4611686018427387904; is this a safetensors file?',
      ],
    ],
  ],
  [
    'a header cut short',
    fileOf({}, 0).subarray(0, 9),
    [['truncated-file', 'x.st: truncated: the header takes 10 bytes, the file has 9']],
  ],
  [
    'a header that is not JSON',
    fileOf('{"a":', 0),
    [['bad-header', 'x.st: the header is not a JSON object']],
  ],
  ['a header that is a list', fileOf([], 0), [['bad-header', 'x.st: the header is not a JSON object']]],
  [
    'a header that is not UTF-8',
    Buffer.concat([fileOf('{}', 0).subarray(0, 8), Buffer.from([0xff, 0xfe])]),
    [['bad-header', 'x.st: the header is not UTF-8']],
  ],
  [
    'an unknown dtype',
    fileOf({ a: tensor(0, 4, [1], 'F31') }, 4),
    [['bad-tensor', 'x.st: tensor a: unknown dtype "F31"']],
  ],
  [
    'a negative extent',
    fileOf({ a: tensor(0, 4, [-1]) }, 4),
    [['bad-tensor', 'x.st: tensor a: shape must be a list of whole numbers, got [-1]']],
  ],
  [
    'offsets that are no pair',
    fileOf({ a: { ...tensor(0, 4), data_offsets: [0] } }, 4),
    [['bad-tensor', 'x.st: tensor a: data_offsets must be two whole numbers, got [0]']],
  ],
  [
    'an entry that is no object',
    fileOf({ a: 3 }, 0),
    [['bad-tensor', 'x.st: tensor a: must be an object, got 3']],
  ],
  [
    'a span that does not fit the shape, and another',
    fileOf({ a: tensor(0, 4, [2, 3]), b: tensor(4, 8, [1], 'BF16') }, 8),
    [
      ['bad-tensor', 'x.st: tensor a: F32 of shape (2, 3) takes 24 bytes, data_offsets [0, 4] hold 4'],
      ['bad-tensor', 'x.st: tensor b: BF16 of shape (1) takes 2 bytes, data_offsets [4, 8] hold 4'],
    ],
  ],
  [
    'two tensors on the same bytes',
    fileOf({ a: tensor(0, 8), b: tensor(4, 12) }, 12),
    [['overlapping-tensors', 'x.st: overlap: tensor b begins at byte 120, tensor a ends at 124']],
  ],
  [
    'bytes that belong to no tensor',
    fileOf({ a: tensor(0, 4), b: tensor(8, 12) }, 12),
    [['gap-in-file', 'x.st: gap: tensor b begins at byte 124, tensor a ends at 120']],
  ],
  [
    'bytes after the last tensor',
    fileOf({ a: tensor(0, 4) }, 7),
    [['gap-in-file', 'x.st: gap: tensor a ends at byte 66, the file has 69']],
  ],
  [
    'data cut short',
    fileOf({ a: tensor(0, 4), b: tensor(4, 12) }, 11),
    [['truncated-file', 'x.st: truncated: tensor b ends at byte 128, the file has 127']],
  ],
]

for (const [what, bytes, expected] of broken) {
  t.test(`${what} is refused, and said exactly`, async t => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'x.st')
    await writeFile(path, bytes)
    const found = await problemsOf(openSafetensors(path), folder)
    t.strictSame(
      found,
      expected.map(([code, message]) => ({ code, message })),
    )
  })
}

t.test('a missing file, a missing tensor and a dtype that is no weight are named', async t => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'x.st')
  t.strictSame(await problemsOf(openSafetensors(path), folder), [
    { code: 'missing-file', message: 'x.st: no such file' },
  ])
  await writeFile(path, fileOf({ a: tensor(0, 2, [2], 'U8') }, 2))
  const file = await openSafetensors(path)
  t.strictSame(await problemsOf(readTensor(file, 'b').next(), folder), [
    { code: 'missing-tensor', message: 'x.st: no tensor b' },
  ])
  t.strictSame(await problemsOf(readTensor(file, 'a').next(), folder), [
    {
      code: 'unsupported-dtype',
      message: 'x.st: tensor a: dtype U8 cannot be read as weights; supported: F32, F16, BF16',
    },
  ])
  t.strictSame((await readBytes(file, 'a').next()).value, new Uint8Array(2), 'its bytes can be read')
})

t.test('a file that shrinks after it was checked is an error, not zeros', async t => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'x.st')
  await writeFile(path, fileOf({ a: tensor(0, 8) }, 8))
  const file = await openSafetensors(path)
  await truncate(path, 67)
  t.match(await problemsOf(readTensor(file, 'a').next(), folder), [
    { code: 'truncated-file', message: /^x.st: truncated: no byte 67, needed up to 70$/ },
  ])
})

t.test('what is written is read back, in chunks of any size', async t => {
  const path = join(await temporaryFolder(t), 'x.st')
  const values = Float32Array.from({ length: 15 }, (_, i) => i / 4 - 1)
  await writeSafetensors(path, [
    { name: 'b', shape: [3, 5], dtype: 'F32', chunks: [values.subarray(0, 7), values.subarray(7)] },
    { name: 'a', shape: [5, 3], dtype: 'BF16', chunks: [values] },
    { name: 'none', shape: [0, 3], dtype: 'F32', chunks: [] },
    { name: 'scalar', shape: [], dtype: 'F32', chunks: [Float32Array.of(7)] },
  ])
  const file = await openSafetensors(path)
  t.strictSame(
    [...file.tensors].map(([name, { dtype, shape }]) => [name, dtype, shape]),
    [
      ['a', 'BF16', [5, 3]],
      ['b', 'F32', [3, 5]],
      ['none', 'F32', [0, 3]],
      ['scalar', 'F32', []],
    ],
  )
  for (const chunkBytes of [4, 5, 12, 60, 1000]) {
    for (const name of ['a', 'b']) {
      const found: number[] = []
      for await (const chunk of readTensor(file, name, chunkBytes)) {
        t.ok(chunk.length <= chunkBytes / (name === 'a' ? 2 : 4))
        found.push(...chunk)
      }
      t.strictSame(found, [...values], `${name} by ${chunkBytes}`)
    }
  }
  t.strictSame((await readTensor(file, 'none').next()).done, true)
  t.strictSame((await readTensor(file, 'scalar').next()).value, Float32Array.of(7))
})

t.test('the bytes do not depend on the order or the chunks, and the data is aligned', async t => {
  const folder = await temporaryFolder(t)
  const a = { name: 'a', shape: [3], dtype: 'BF16', chunks: [Float32Array.of(1, 2, 3)] } as const
  const b = { name: 'longer', shape: [1], dtype: 'F32', chunks: [Float32Array.of(4)] } as const
  await writeSafetensors(join(folder, '1'), [a, b])
  await writeSafetensors(join(folder, '2'), [
    b,
    { ...a, chunks: [Float32Array.of(1), Float32Array.of(2, 3)] },
  ])
  const bytes = await readFile(join(folder, '1'))
  t.strictSame(await readFile(join(folder, '2')), bytes)
  t.equal(Number(bytes.readBigUInt64LE()) % 8, 0)
})

t.test('too few values or a name given twice leave no file', async t => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'x.st')
  const a = { name: 'a', shape: [3], dtype: 'F32', chunks: [Float32Array.of(1)] } as const
  await t.rejects(writeSafetensors(path, [a]), {
    message: 'writeSafetensors: tensor a: shape (3) has 3 values, got 1',
  })
  await t.rejects(writeSafetensors(path, [a, a]), { message: 'writeSafetensors: tensor a is given twice' })
  t.same(await readdir(folder), [])
})

t.test('small tensors are asked for before their turn, and written in order of name', async t => {
  const path = join(t.testdir({}), 'ahead.safetensors')
  const asked: string[] = []
  const answers: (() => void)[] = []
  const late = (name: string, value: number) => ({
    name,
    shape: [1],
    dtype: 'F32' as const,
    chunks: (async function* () {
      asked.push(name)
      await new Promise<void>(done => answers.push(done))
      yield Float32Array.of(value)
    })(),
  })
  const writing = writeSafetensors(path, [late('b', 2), late('a', 1), late('c', 3)])
  for (let turn = 0; asked.length < 3 && turn < 1000; turn++) await new Promise(done => setTimeout(done, 1))
  t.same(asked, ['a', 'b', 'c'])
  for (const answer of answers.reverse()) answer()
  await writing
  const file = await openSafetensors(path)
  const values: number[] = []
  for (const name of ['a', 'b', 'c']) for await (const piece of readTensor(file, name)) values.push(...piece)
  t.same(values, [1, 2, 3])
})

t.test('of large tensors one at a time is asked for', async t => {
  const path = join(t.testdir({}), 'large.safetensors')
  let [open, most] = [0, 0]
  const values = new Float32Array(2 ** 22)
  const large = (name: string) => ({
    name,
    shape: [values.length],
    dtype: 'F32' as const,
    chunks: (async function* () {
      most = Math.max(most, ++open)
      yield values
      open--
    })(),
  })
  await writeSafetensors(path, [large('a'), large('b'), large('c')])
  t.equal(most, 1)
})

t.test('a tensor that fails leaves no file, and those asked for before their turn are closed', async t => {
  const folder = t.testdir({})
  let closed = 0
  const opened = (name: string, error?: Error) => ({
    name,
    shape: [2],
    dtype: 'F32' as const,
    chunks: (async function* () {
      try {
        yield Float32Array.of(1)
        if (error) throw error
        yield Float32Array.of(2)
      } finally {
        closed++
      }
    })(),
  })
  const tensors = [opened('a', new Error('lost')), opened('b'), opened('c')]
  await t.rejects(writeSafetensors(join(folder, 'x.safetensors'), tensors), { message: 'lost' })
  t.equal(closed, 3)
  t.same(await readdir(folder), [])
})

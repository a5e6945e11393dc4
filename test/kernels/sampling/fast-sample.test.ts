import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { drawTokens } from '../../../kernels/sampling/fast-sample.ts'
import { probabilitiesReference } from '../../../kernels/sampling/probabilities.ts'
import { drawReference, uniform } from '../../../kernels/sampling/sample.ts'
import { close, given, noise, runOnce } from '../support.ts'

const device = await openDevice({ family: 'gpu' })
t.teardown(() => device.close())

interface How {
  greedy: boolean
  temperature: number
  topK: number
  topP: number
  minP: number
}

const all: How = { greedy: false, temperature: 1, topK: 0, topP: 1, minP: 0 }
const capacity = 7
const endId = 2

async function drawn(logits: Float32Array<ArrayBuffer>, rows: number, how: How, position = 5, ended = 0) {
  const vocabulary = logits.length / rows
  const seeds = Uint32Array.from({ length: rows }, (_, row) => row * 77)
  const done = given(device, [rows], new Uint32Array(rows).fill(ended))
  const [ids, history] = [rows, rows * capacity].map(size => given(device, [size], new Uint32Array(size)))
  const chances = given(device, [rows, capacity], new Float32Array(rows * capacity))
  await runOnce(device, recording =>
    drawTokens(recording, {
      logits: given(device, [rows, vocabulary], logits),
      chances,
      ...how,
      rows,
      vocabulary,
      ...{
        seeds: given(device, [rows], seeds),
        position: given(device, [rows], new Uint32Array(rows).fill(position)),
      },
      done,
      ids,
      history,
      endId,
      capacity,
    }),
  )
  const [tokens, past, over] = await Promise.all([ids, history, done].map(x => device.readIntegers(x)))
  return { seeds, tokens, past, over, chances: await device.read(chances) }
}

// What is cut in each way and in several; lists of the likeliest, and more than a list holds.
const ways: How[] = [
  all,
  { ...all, temperature: 0.7, topK: 5 },
  { ...all, topK: 40, topP: 0.8 },
  { ...all, topK: 40, minP: 0.3 },
  { ...all, topK: 5000 },
  { ...all, topK: 300, temperature: 3 },
  { ...all, temperature: 1.3, topP: 0.8 },
  { ...all, topP: 1e-9 },
  { ...all, minP: 0.05 },
  { ...all, temperature: 1.5, topK: 900, topP: 0.9, minP: 0.01 },
]

// one token, odd, more than one for each lane
for (const vocabulary of [1, 7, 1030, 2600])
  t.test(`draws from ${vocabulary} tokens are those of the references`, async t => {
    const rows = 12
    const logits = noise(rows * vocabulary, 3, 14)
    for (const how of ways) {
      const found = await drawn(logits, rows, how)
      const shares = Array.from({ length: rows }, (_, row) =>
        probabilitiesReference(logits.subarray(row * vocabulary, (row + 1) * vocabulary), how),
      )
      const wanted = shares.map((row, i) => drawReference(row, uniform(found.seeds[i], 5)))
      const what = JSON.stringify(how)
      t.strictSame(Array.from(found.tokens), wanted, what)
      const chances = Array.from({ length: rows }, (_, row) => found.chances[row * capacity + 5])
      close(
        t,
        chances,
        wanted.map((token, row) => shares[row][token]),
        1e-5,
        what,
      )
      t.strictSame(
        Array.from({ length: rows }, (_, row) => found.past[row * capacity + 5]),
        wanted,
        'what was drawn is remembered',
      )
    }
  })

t.test('all that equal the k-th largest stay, however many', async t => {
  const rows = 64
  const tied = (size: number, several: number) =>
    Float32Array.from({ length: rows * size }, (_, i) =>
      i % size < several ? 3 : i % size === size - 1 ? 4 : 1,
    )
  for (const [size, several, topK] of [
    [9, 4, 2],
    [2000, 700, 3],
    [2000, 1999, 1],
  ]) {
    const logits = tied(size, several)
    const how = { ...all, topK }
    const found = await drawn(logits, rows, how)
    const shares = probabilitiesReference(logits.subarray(0, size), how)
    const wanted = Array.from(found.seeds, seed => drawReference(shares, uniform(seed, 5)))
    t.strictSame(Array.from(found.tokens), wanted, `${several} of ${size}, top ${topK}`)
  }
})

t.test('greedy takes the first of the largest', async t => {
  const tied = Float32Array.from({ length: 3 * 2100 }, (_, i) =>
    [[5, 9, 2099], [0], [1270, 1031]][Math.floor(i / 2100)].includes(i % 2100) ? 4 : -4,
  )
  const { tokens } = await drawn(tied, 3, { ...all, greedy: true })
  t.strictSame(Array.from(tokens), [5, 0, 1031])
})

t.test('tokens that cannot be are never drawn', async t => {
  const logits = Float32Array.from({ length: 16 * 50 }, (_, i) =>
    i % 3 === 0 ? 1 : Number.NEGATIVE_INFINITY,
  )
  for (const how of [all, { ...all, topK: 30 }, { ...all, topP: 0.9 }]) {
    const { tokens } = await drawn(logits.slice(0, 48 * 16), 16, how)
    t.ok(tokens.every((token, row) => (row * 48 + token) % 3 === 0))
  }
})

t.test('the end ends a sequence, and an ended one repeats it', async t => {
  const logits = Float32Array.from({ length: 2 * 4 }, (_, i) => ([2, 3][i >> 2] === i % 4 ? 90 : 0))
  const now = await drawn(logits, 2, all)
  t.same(
    [Array.from(now.tokens), Array.from(now.over)],
    [
      [2, 3],
      [1, 0],
    ],
  )
  const later = await drawn(logits, 2, all, 5, 1)
  t.same(Array.from(later.tokens), [endId, endId])
  const past = await drawn(logits, 2, all, capacity)
  t.ok(
    past.past.every(id => id === 0),
    'nothing is written past the capacity',
  )
})

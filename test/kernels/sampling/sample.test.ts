import t, { type Test } from 'tap'
import { advance } from '../../../kernels/decode/key-value-cache.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { probabilities, probabilitiesReference } from '../../../kernels/sampling/probabilities.ts'
import { penaliseRepeats, penaliseRepeatsReference } from '../../../kernels/sampling/repetition-penalty.ts'
import { drawReference, sampleTokens, uniform } from '../../../kernels/sampling/sample.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

const endId = 2

interface Warp {
  temperature: number
  topK: number
  topP: number
  minP?: number
}

const warps: Warp[] = [
  { temperature: 1, topK: 0, topP: 1 },
  { temperature: 0.7, topK: 5, topP: 1 },
  { temperature: 1, topK: 5000, topP: 1 },
  { temperature: 1.3, topK: 0, topP: 0.8 },
  { temperature: 1, topK: 0, topP: 1e-9 },
  { temperature: 1, topK: 20, topP: 0.9 },
  { temperature: 1, topK: 0, topP: 1, minP: 0.05 },
  { temperature: 1.5, topK: 0, topP: 1, minP: 1 },
  { temperature: 0.8, topK: 30, topP: 0.9, minP: 0.1 },
]

const probabilitiesOf = (rows: number, vocabulary: number): Float32Array<ArrayBuffer> =>
  noise(rows * vocabulary, 3, 2).map((v, i) => (i % 3 === 1 && vocabulary > 1 ? 0 : v + 1))

t.test('the generator is even, and no seed or position repeats another', async t => {
  const drawn = Array.from({ length: 64 * 256 }, (_, i) => uniform(i >> 8, i & 255))
  const counts = Array.from({ length: 16 }, (_, bin) => drawn.filter(u => Math.floor(u * 16) === bin).length)
  const surprise = counts.reduce((sum, n) => sum + (n - 1024) ** 2 / 1024, 0)
  t.ok(
    surprise < 37.7,
    `chi-square ${surprise.toFixed(1)} of 15 degrees of freedom stays below its 0.1 % bound`,
  )
  t.ok(new Set(drawn).size > 16370, `${new Set(drawn).size} of ${drawn.length} differ`)
  t.ok(drawn.every(u => u >= 0 && u < 1))
})

await onEachFamily(t, async (device, t) => {
  await t.test('probabilities are those of the reference, and the same tokens are left', t =>
    agreesWithReference(device, t),
  )
  await t.test('tokens that tie with the last one kept are kept too', t => keepsTies(device, t))
  await t.test('each sequence draws the first token at which the running sum passes its random number', t =>
    drawsByRunningSum(device, t),
  )
  await t.test('tokens are drawn as often as their probabilities say, and impossible ones never', t =>
    drawsByProbability(device, t),
  )
  await t.test('a sequence draws the same alone as in a batch', t => drawsAlone(device, t))
  await t.test('greedy takes the first of the largest', t => takesFirstLargest(device, t))
  await t.test('drawing the end ends a sequence, and an ended one repeats the end', t =>
    endsSequences(device, t),
  )
  await t.test('a step replayed past the capacity fills the history and nothing else', t =>
    fillsHistory(device, t),
  )
  await t.test('every token in the history is penalised once, however often it occurs', t =>
    penalisesOnce(device, t),
  )
  await t.test('settings outside their range are refused by name', t => refusesSettings(device, t))
})

async function agreesWithReference(device: Device, t: Test) {
  // one token, odd, packed, one more than a GPU's workgroup
  for (const vocabulary of [1, 7, 52, 257, 1028]) {
    const rows = 3
    const logits = noise(rows * vocabulary, 1, 12)
    for (const how of warps) {
      const wanted = Array.from({ length: rows }, (_, row) =>
        probabilitiesReference(logits.subarray(row * vocabulary, (row + 1) * vocabulary), how),
      ).flat()
      const found = await warped(device, logits, rows, how)
      const what = `${vocabulary} tokens, ${JSON.stringify(how)}`
      close(t, found, wanted, 1e-5, what)
      t.ok(
        found.every((p, i) => p > 0 === wanted[i] > 0),
        `the same are kept: ${what}`,
      )
    }
  }
}

async function keepsTies(device: Device, t: Test) {
  const ties = Float32Array.of(1, 3, -2, 3, 2, 2, Number.NEGATIVE_INFINITY, 2)
  for (const how of [
    { temperature: 1, topK: 3, topP: 1 }, // the third largest is one of three equals: all of them stay
    { temperature: 1, topK: 1, topP: 1 },
    { temperature: 1, topK: 0, topP: 0.3 },
    { temperature: 1, topK: 0, topP: 0.6 },
    { temperature: 2, topK: 7, topP: 0.999 },
  ])
    close(
      t,
      await warped(device, ties, 1, how),
      probabilitiesReference(ties, how),
      2e-6,
      `ties, ${JSON.stringify(how)}`,
    )
}

async function drawsByRunningSum(device: Device, t: Test) {
  // Draws of many sequences, held against the running sum in float64.
  for (const vocabulary of [1, 5, 300]) {
    const rows = 96
    const weights = probabilitiesOf(rows, vocabulary)
    const seeds = Uint32Array.from({ length: rows }, (_, row) => row * 77)
    const { ids, chances } = await draw(device, weights, seeds, { position: 5 })
    const wanted = Array.from(seeds, (seed, row) =>
      drawReference(weights.subarray(row * vocabulary, (row + 1) * vocabulary), uniform(seed, 5)),
    )
    t.strictSame(ids, wanted, `draws from ${vocabulary} tokens`)
    const shares = wanted.map((id, row) => {
      const own = weights.subarray(row * vocabulary, (row + 1) * vocabulary)
      return own[id] / own.reduce((sum, weight) => sum + weight, 0)
    })
    close(t, chances, shares, 2e-6, `shares of the draws from ${vocabulary} tokens`)
  }
}

async function drawsByProbability(device: Device, t: Test) {
  const shares = Float32Array.of(0.5, 0, 0.125, 0.25, 0, 0.125)
  const seeds = Uint32Array.from({ length: 4096 }, (_, i) => i)
  const same = Float32Array.from({ length: 4096 * 6 }, (_, i) => shares[i % 6])
  const { ids } = await draw(device, same, seeds, { position: 0 })
  const counts = Array.from(shares, (_, token) => ids.filter(id => id === token).length)
  const surprise = counts.reduce(
    (sum, n, i) => (shares[i] > 0 ? sum + (n - 4096 * shares[i]) ** 2 / (4096 * shares[i]) : sum),
    0,
  )
  t.ok(
    surprise < 16.3,
    `chi-square ${surprise.toFixed(1)} of 3 degrees of freedom stays below its 0.1 % bound`,
  )
  t.same([counts[1], counts[4]], [0, 0], 'what has no probability is never drawn')
}

async function drawsAlone(device: Device, t: Test) {
  const weights = probabilitiesOf(4, 50)
  const four = await draw(device, weights, Uint32Array.of(11, 12, 13, 14), { position: 3 })
  const alone = await draw(device, weights.slice(100, 150), Uint32Array.of(13), { position: 3 })
  t.equal(alone.ids[0], four.ids[2], 'a sequence draws the same alone as in a batch')
}

async function takesFirstLargest(device: Device, t: Test) {
  const tied = Float32Array.from({ length: 3 * 300 }, (_, i) =>
    [[5, 9, 299], [0], [270, 31]][Math.floor(i / 300)].includes(i % 300) ? 4 : -4,
  )
  const greedy = await draw(device, tied, new Uint32Array(3), { position: 0, greedy: true })
  t.strictSame(greedy.ids, [5, 0, 31], 'greedy takes the first of the largest')
}

async function endsSequences(device: Device, t: Test) {
  const ended = Float32Array.from({ length: 2 * 4 }, (_, i) => ([2, 3][Math.floor(i / 4)] === i % 4 ? 1 : 0))
  for (const isGreedy of [false, true]) {
    const found = await draw(device, ended, Uint32Array.of(1, 2), { position: 0, greedy: isGreedy })
    t.strictSame(found.done, [1, 0], 'drawing the end ends a sequence')
    const later = await draw(device, ended, Uint32Array.of(1, 2), {
      position: 0,
      greedy: isGreedy,
      done: [0, 1],
    })
    t.strictSame(later.ids, [2, endId], 'an ended sequence repeats the end')
  }
}

async function fillsHistory(device: Device, t: Test) {
  const [rows, vocabulary, capacity] = [2, 5, 3]
  const state = sampler(device, rows, capacity, Uint32Array.of(4, 5))
  const full = given(
    device,
    [rows, vocabulary],
    Float32Array.from({ length: 10 }, (_, i) => (i % 5 === endId ? 0 : 1)),
  )
  const recording = new Recording(device)
  sampleTokens(recording, { greedy: false, probabilities: full, ...state, endId, rows, vocabulary, capacity })
  advance(recording, { position: state.position, limit: 99 })
  const compiled = await compile(device, recording, 'test')
  for (let step = 0; step <= capacity; step++) compiled.run()
  const wanted = [4, 5].flatMap(seed =>
    Array.from({ length: capacity }, (_, i) => drawReference([1, 1, 0, 1, 1], uniform(seed, i))),
  )
  t.strictSame(
    Array.from(await device.readIntegers(state.history)),
    wanted,
    'the history holds one draw a position',
  )
  compiled.free()
}

async function penalisesOnce(device: Device, t: Test) {
  // no token yet, all places, and more than one workgroup's width of them
  for (const [places, written] of [
    [1, 0],
    [5, 5],
    [300, 290],
  ]) {
    const [vocabulary, penalty] = [67, 1.3]
    const logits = noise(2 * vocabulary, 4, 8)
    const tokens = Uint32Array.from({ length: 2 * places }, (_, i) => ((i * 7) % 31) * 2)
    const full = given(device, [2, vocabulary], logits)
    const history = given(device, [2, places], tokens)
    const position = given(device, [2], Uint32Array.of(written, written))
    const size = { rows: 2, vocabulary, capacity: places }
    await runOnce(device, recording =>
      penaliseRepeats(recording, { logits: full, history, position, penalty, ...size }),
    )
    const wanted = [0, 1].flatMap(row =>
      penaliseRepeatsReference(
        logits.subarray(row * vocabulary, (row + 1) * vocabulary),
        tokens.subarray(row * places, row * places + written),
        penalty,
      ),
    )
    close(t, await device.read(full), wanted, 1e-6, `${written} of ${places} places penalised`)
  }
}

async function refusesSettings(device: Device, t: Test) {
  const [rows, vocabulary] = [2, 5]
  const full = given(device, [rows, vocabulary], new Float32Array(rows * vocabulary))
  for (const [key, value] of Object.entries({ temperature: 0, topK: 1.5, topP: 0, minP: 1.1 }))
    t.throws(
      () => {
        const how = { temperature: 1, topK: 0, topP: 1, [key]: value }
        probabilities(new Recording(device), { logits: full, out: full, ...how, rows, vocabulary })
      },
      new RegExp(`${key} must be`),
    )
}

/** The kernel's probabilities of `logits`. */
async function warped(device: Device, logits: Float32Array<ArrayBuffer>, rows: number, how: Warp) {
  const vocabulary = logits.length / rows
  const out = device.tensor('out', [rows, vocabulary])
  const full = given(device, [rows, vocabulary], logits)
  await runOnce(device, recording =>
    probabilities(recording, { logits: full, out, ...how, rows, vocabulary }),
  )
  return device.read(out)
}

function sampler(device: Device, rows: number, capacity: number, seeds: Uint32Array<ArrayBuffer>) {
  const integers = (count: number) => given(device, [count], new Uint32Array(count))
  const [position, done, ids, history] = [rows, rows, rows, rows * capacity].map(integers)
  const chances = given(device, [rows * capacity], new Float32Array(rows * capacity))
  return { seeds: given(device, [rows], seeds), position, done, ids, history, chances }
}

async function draw(
  device: Device,
  from: Float32Array<ArrayBuffer>,
  seeds: Uint32Array<ArrayBuffer>,
  { position, greedy = false, done = [] }: { position: number; greedy?: boolean; done?: number[] },
) {
  const rows = seeds.length
  const [vocabulary, capacity] = [from.length / rows, 8]
  const state = sampler(device, rows, capacity, seeds)
  device.write(state.position, new Uint32Array(rows).fill(position))
  device.write(state.done, Uint32Array.from(done))
  const weights = given(device, [rows, vocabulary], from)
  const source = greedy
    ? ({ greedy, logits: weights } as const)
    : ({ greedy, probabilities: weights } as const)
  await runOnce(device, recording =>
    sampleTokens(recording, { ...source, ...state, endId, rows, vocabulary, capacity }),
  )
  const [ids, ended] = await Promise.all([state.ids, state.done].map(tensor => device.readIntegers(tensor)))
  const all = await device.read(state.chances)
  const chances = Array.from({ length: rows }, (_, row) => all[row * capacity + position])
  return { ids: Array.from(ids), done: Array.from(ended), chances }
}

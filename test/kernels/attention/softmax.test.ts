import t from 'tap'
import { type Mask, softmax, softmaxBackward, softmaxReference } from '../../../kernels/attention/softmax.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

type Sees = (outer: number, row: number, key: number) => boolean

// one key, fewer keys than lanes, as many, one more, and several rounds
const sizes = [1, 5, 8, 9, 128, 129, 700]

const everything: Sees = () => true

await onEachFamily(t, async (device, t) => {
  for (const keys of sizes) {
    const extents = { outer: 2, inner: 3, rows: 2, keys }
    await check(`no mask, ${keys} keys`, extents, { kind: 'none' }, everything)
  }
  const lengths = [0, 1, 6, 9]
  await check(
    'lengths',
    { outer: 4, inner: 2, rows: 3, keys: 9 },
    { kind: 'lengths', lengths: given(device, [4], Uint32Array.from(lengths)) },
    (outer, _, key) => key < lengths[outer],
  )
  // Two conversations on one line: a prompt (1) with two answers (2, 3) that see it, then a prompt (4) with one (5);
  // the last row's segment, 9, is its own only because it is told so.
  const segments = [1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5, 5, 9]
  const parents = [1, 1, 1, 1, 1, 1, 1, 1, 4, 4, 4, 4, 9]
  const rows = segments.length
  await check(
    'causal',
    { outer: 2, inner: 2, rows, keys: rows },
    {
      kind: 'causal',
      segments: given(device, [rows], Uint32Array.from(segments)),
      parents: given(device, [rows], Uint32Array.from(parents)),
    },
    (_, row, key) => key <= row && (segments[key] === segments[row] || segments[key] === parents[row]),
  )

  async function check(
    name: string,
    extents: { outer: number; inner: number; rows: number; keys: number },
    mask: Mask,
    sees: Sees,
  ): Promise<void> {
    const { outer, inner, rows, keys } = extents
    const values = noise(outer * inner * rows * keys, keys, 30)
    // the tensors are longer than the scores: what follows them must stay
    const scores = given(device, [values.length + 3], Float32Array.of(...values, 5, 6, 7))
    await runOnce(device, recording => softmax(recording, { scores, ...extents, mask }))
    const wanted = softmaxReference(values, extents, sees)
    const all = await device.read(scores)
    const found = all.subarray(0, values.length)
    t.same([...all.subarray(values.length)], [5, 6, 7], `${name}: nothing else is written`)
    close(t, found, wanted, 1e-6, name)
    t.ok(
      wanted.every((p, i) => p !== 0 || found[i] === 0),
      `${name}: hidden keys are exactly 0`,
    )

    const gradient = noise(values.length, 7)
    const buffer = given(device, [values.length + 3], Float32Array.of(...gradient, 5, 6, 7))
    const scale = 0.25
    await runOnce(device, recording => {
      softmaxBackward(recording, { probabilities: scores, gradient: buffer, ...extents, scale })
    })
    t.same(await device.read(scores), all, `${name}: the backward keeps the probabilities`)
    // of a row's loss Σ gradient · softmax(scale · x) at scale · x = scores
    const loss = (at: number, by: number): number => {
      const moved = Float64Array.from(values)
      moved[at] += by * scale
      const row = Math.floor(at / keys)
      const part = moved.subarray(row * keys, row * keys + keys)
      const place = (key: number) => sees(Math.floor(row / (inner * rows)), row % rows, key)
      const p = softmaxReference(part, { outer: 1, inner: 1, rows: 1, keys }, (_, __, key) => place(key))
      return p.reduce((sum, value, j) => sum + value * gradient[row * keys + j], 0)
    }
    const step = 1e-4
    const checked = Array.from({ length: Math.min(values.length, 60) }, (_, i) => (i * 37) % values.length)
    const slopes = checked.map(at => (loss(at, step) - loss(at, -step)) / (2 * step))
    const result = await device.read(buffer)
    t.same([...result.subarray(values.length)], [5, 6, 7], `${name}: the backward writes nothing else`)
    // a single key has probability 1 whatever its score
    if (keys === 1)
      t.ok(
        checked.every(at => Math.abs(result[at]) < 1e-7),
        `${name}: nothing to learn`,
      )
    else
      close(
        t,
        checked.map(at => result[at]),
        slopes,
        2e-6,
        `${name}: backward`,
      )
  }
})

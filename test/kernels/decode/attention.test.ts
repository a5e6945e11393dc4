import t, { type Test } from 'tap'
import { decodeAttention, decodeAttentionReference } from '../../../kernels/decode/attention.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

// heads of one number, odd, packed, wider than a subgroup and than a GPU's workgroup; all ways to share keys; scores
// near and far apart; prompts and tokens around the tiles of 8 and 128 keys
const cases = [
  { heads: 1, keyValueHeads: 1, headSize: 1, lengths: [1], position: 0, spread: 1 },
  { heads: 3, keyValueHeads: 3, headSize: 5, lengths: [9, 3], position: 7, spread: 1 },
  { heads: 4, keyValueHeads: 2, headSize: 16, lengths: [8, 8, 130], position: 8, spread: 4 },
  { heads: 6, keyValueHeads: 1, headSize: 36, lengths: [17], position: 2, spread: 4 },
  { heads: 2, keyValueHeads: 2, headSize: 64, lengths: [129, 1], position: 128, spread: 20 },
  { heads: 8, keyValueHeads: 1, headSize: 128, lengths: [40, 40], position: 1, spread: 4 },
  { heads: 2, keyValueHeads: 1, headSize: 131, lengths: [11], position: 16, spread: 4 },
  { heads: 2, keyValueHeads: 2, headSize: 256, lengths: [10], position: 9, spread: 4 },
]

await onEachFamily(t, async (device, t) => {
  await t.test('every head of a new token agrees with attention over its prompt and its own tokens', t =>
    agreesWithReference(device, t),
  )
})

async function agreesWithReference(device: Device, t: Test) {
  for (const { heads, keyValueHeads, headSize, lengths, position, spread } of cases) {
    const sequences = lengths.length
    const capacity = position + 3
    const positions = lengths.map((_, i) => Math.max(0, position - 5 * i))
    const width = keyValueHeads * headSize
    // Each prompt is packed after the one before; two sequences of the same length share a prompt.
    const starts = lengths.map(length =>
      lengths.slice(0, lengths.indexOf(length)).reduce((sum, n) => sum + n, 2),
    )
    const prefixRows = Math.max(...starts.map((start, i) => start + lengths[i])) + 1
    const [prefixKeys, prefixValues] = [noise(prefixRows * width, 1, spread), noise(prefixRows * width, 2)]
    const [keys, values] = [
      noise(sequences * capacity * width, 3, spread),
      noise(sequences * capacity * width, 4),
    ]
    for (let i = 0; i < keys.length; i++) {
      const unwritten = Math.floor(i / width) % capacity > positions[Math.floor(i / width / capacity)]
      if (unwritten) [keys[i], values[i]] = [Number.NaN, Number.NaN]
    }
    const q = noise(sequences * heads * headSize, 5, spread)
    const shape = { heads, keyValueHeads, headSize, capacity, scale: headSize ** -0.5 }
    const out = device.tensor('out', [sequences, heads * headSize])
    await runOnce(device, recording =>
      decodeAttention(recording, {
        q: given(device, [sequences, heads * headSize], q),
        prefixKeys: given(device, [prefixRows, width], prefixKeys),
        prefixValues: given(device, [prefixRows, width], prefixValues),
        prefixStarts: given(device, [sequences], Uint32Array.from(starts)),
        prefixLengths: given(device, [sequences], Uint32Array.from(lengths)),
        keys: given(device, [sequences, capacity, width], keys),
        values: given(device, [sequences, capacity, width], values),
        position: given(device, [sequences], Uint32Array.from(positions)),
        out,
        sequences,
        ...shape,
      }),
    )
    const data = {
      q,
      prefixKeys,
      prefixValues,
      prefixStarts: starts,
      prefixLengths: lengths,
      keys,
      values,
      position: positions,
    }
    const wanted = decodeAttentionReference({ ...data, ...shape })
    const what = `${heads} heads of ${headSize} on ${keyValueHeads}, prompts of ${lengths.join(', ')}, token ${position}`
    close(t, await device.read(out), wanted, 5e-6, what)
  }
}

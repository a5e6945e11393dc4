import t from 'tap'
import { decodeAttentionReference } from '../../../kernels/decode/attention.ts'
import { decodeByProducts } from '../../../kernels/decode/prompt-products.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { close, given, noise, runOnce } from '../support.ts'

const device = await openDevice({ family: 'cpu' })
t.teardown(() => device.close())

// Heads of one number, odd, packed and wider than a subgroup; all ways to share keys; prompts shorter than their room.
for (const { heads, keyValueHeads, headSize, prompts, position } of [
  { heads: 1, keyValueHeads: 1, headSize: 1, prompts: [{ length: 1, room: 1, count: 1 }], position: 0 },
  { heads: 3, keyValueHeads: 3, headSize: 5, prompts: [{ length: 7, room: 9, count: 4 }], position: 7 },
  {
    heads: 4,
    keyValueHeads: 2,
    headSize: 16,
    prompts: [
      { length: 130, room: 192, count: 5 },
      { length: 0, room: 64, count: 2 },
      { length: 63, room: 64, count: 4 },
    ],
    position: 20,
  },
  { heads: 6, keyValueHeads: 1, headSize: 36, prompts: [{ length: 300, room: 300, count: 9 }], position: 2 },
]) {
  const name = `${heads} heads of ${headSize} on ${keyValueHeads}, prompts of ${prompts.map(({ length }) => length)}`
  t.test(`products with shared prompts give the attention of each sequence: ${name}`, async t => {
    const sequences = prompts.reduce((sum, { count }) => sum + count, 0)
    const rows = prompts.reduce((sum, { room }) => sum + room, 0)
    const shared = prompts.map(({ room, count }, i) => {
      const before = prompts.slice(0, i)
      const first = before.reduce((sum, one) => sum + one.count, 0)
      return { first, count, start: before.reduce((sum, one) => sum + one.room, 0), room }
    })
    const ofSequences = (field: 'start' | 'length') =>
      prompts.flatMap((prompt, i) => new Array(prompt.count).fill({ ...prompt, ...shared[i] }[field]))
    const width = keyValueHeads * headSize
    const capacity = position + 3
    const positions = Array.from({ length: sequences }, (_, i) => Math.max(0, position - 5 * i))
    const keys = noise(sequences * capacity * width, 3, 4)
    for (let i = 0; i < keys.length; i++)
      if (Math.floor(i / width) % capacity > positions[Math.floor(i / width / capacity)]) keys[i] = Number.NaN
    const data = {
      q: noise(sequences * heads * headSize, 5, 4),
      prefixKeys: noise(rows * width, 1, 4),
      prefixValues: noise(rows * width, 2),
      prefixStarts: ofSequences('start'),
      prefixLengths: ofSequences('length'),
      keys,
      values: noise(sequences * capacity * width, 4),
      position: positions,
    }
    const sizes = { heads, keyValueHeads, headSize, capacity, scale: headSize ** -0.5 }
    const out = device.tensor('out', [sequences, heads * headSize])
    const list = (values: readonly number[]) => given(device, [values.length], Uint32Array.from(values))
    await runOnce(device, recording =>
      decodeByProducts(
        recording,
        {
          q: given(device, [sequences, heads * headSize], data.q),
          prefixKeys: given(device, [rows, width], data.prefixKeys),
          prefixValues: given(device, [rows, width], data.prefixValues),
          prefixStarts: list(data.prefixStarts),
          prefixLengths: list(data.prefixLengths),
          keys: given(device, [sequences, capacity, width], data.keys),
          values: given(device, [sequences, capacity, width], data.values),
          position: list(positions),
          out,
          sequences,
          ...sizes,
        },
        shared,
      ),
    )
    close(t, await device.read(out), decodeAttentionReference({ ...data, ...sizes }), 5e-6)
  })
}

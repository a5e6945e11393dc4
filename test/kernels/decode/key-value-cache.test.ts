import t, { type Test } from 'tap'
import { advance, cacheRows } from '../../../kernels/decode/key-value-cache.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { compile } from '../../../kernels/plan/compile.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { given, noise, onEachFamily } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  await t.test('each step fills the slot of its position, and steps past the capacity write nothing', t =>
    fillsSlots(device, t),
  )
  await t.test('positions advance up to a limit', t => advancesToLimit(device, t))
})

async function fillsSlots(device: Device, t: Test) {
  for (const [sequences, width, capacity] of [
    [1, 1, 1],
    [3, 5, 4],
    [2, 12, 3],
    [3, 1028, 2],
  ] as const) {
    const from = noise(sequences * width, 1)
    const cache = given(device, [sequences, capacity, width], new Float32Array(sequences * capacity * width))
    const position = given(device, [sequences], new Uint32Array(sequences))
    const recording = new Recording(device)
    cacheRows(recording, {
      from: given(device, [sequences, width], from),
      cache,
      position,
      sequences,
      width,
      capacity,
    })
    advance(recording, { position, limit: capacity + 5 })
    const compiled = await compile(device, recording, 'test')
    // One run more than there are slots: what would fall outside must change nothing.
    for (let step = 0; step <= capacity; step++) {
      compiled.run()
      const wanted = Array.from({ length: sequences * capacity * width }, (_, i) => {
        const [sequence, slot, c] = [
          Math.floor(i / width / capacity),
          Math.floor(i / width) % capacity,
          i % width,
        ]
        return slot <= step ? from[sequence * width + c] : 0
      })
      t.strictSame(Array.from(await device.read(cache)), wanted, `step ${step} of ${sequences} × ${width}`)
    }
    compiled.free()
  }
}

async function advancesToLimit(device: Device, t: Test) {
  for (const count of [1, 9, 300]) {
    const before = Uint32Array.from({ length: count }, (_, i) => (i * 7) % 61)
    const position = given(device, [count], before)
    const recording = new Recording(device)
    advance(recording, { position, limit: 60 })
    const compiled = await compile(device, recording, 'test')
    compiled.run()
    compiled.run()
    const found = await device.readIntegers(position)
    t.strictSame(
      Array.from(found),
      Array.from(before, n => Math.min(n + 2, 60)),
      `${count} positions advance up to a limit`,
    )
    compiled.free()
  }
}

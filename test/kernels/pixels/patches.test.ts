import t from 'tap'
import { patches, patchesReference } from '../../../kernels/pixels/patches.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  // One pixel, remainders on both sides, frames that are not square, and a patch of more pixels than a workgroup has lanes.
  for (const [frames, channels, height, width, patch] of [
    [1, 1, 1, 1, 1],
    [2, 3, 11, 11, 4],
    [2, 3, 7, 10, 3],
    [1, 3, 28, 30, 14],
  ])
    await t.test(
      `frames of ${height} × ${width} become rows of whole patches of ${patch} × ${patch}`,
      async t => {
        const pixels = noise(frames * channels * height * width, 1)
        const rows = frames * Math.floor(height / patch) * Math.floor(width / patch)
        const out = device.tensor('out', [rows, channels * patch * patch])
        await runOnce(device, recording =>
          patches(recording, {
            pixels: given(device, [frames, channels, height, width], pixels),
            out,
            patch,
          }),
        )
        const wanted = patchesReference(pixels, [frames, channels, height, width], { patch })
        t.strictSame(Array.from(await device.read(out)), wanted)
      },
    )
  await t.test('pairs of frames share patches, and those of a square follow each other', async t => {
    const order = { patch: 1, step: 2, square: 2 }
    // Hundreds are the frame, tens the row: of three frames the last one is repeated.
    const pixels = Float32Array.from({ length: 3 * 8 }, (_, i) => {
      return Math.floor(i / 8) * 100 + Math.floor((i % 8) / 4) * 10 + (i % 4)
    })
    const squares = [0, 1, 10, 11, 2, 3, 12, 13]
    const wanted = [
      ...squares.flatMap(place => [place, 100 + place]),
      ...squares.flatMap(place => [200 + place, 200 + place]),
    ]
    t.same(patchesReference(pixels, [3, 1, 2, 4], order), wanted)
    const out = device.tensor('out', [16, 2])
    await runOnce(device, recording =>
      patches(recording, { pixels: given(device, [3, 1, 2, 4], pixels), out, ...order }),
    )
    t.same(Array.from(await device.read(out)), wanted)
    // more columns than lanes, three channels, squares of three patches
    const shape = [5, 3, 39, 18]
    const many = noise(5 * 3 * 39 * 18, 4)
    const large = { patch: 3, step: 3, square: 2 }
    const rows = device.tensor('rows', [2 * 12 * 6, 81])
    await t.rejects(
      async () => patches(new Recording(device), { pixels: given(device, shape, many), out: rows, ...large }),
      /patches: rows must be \(156, 81\)/,
    )
    await t.rejects(
      async () =>
        patches(new Recording(device), {
          pixels: given(device, shape, many),
          out: device.tensor('rows', [156, 81]),
          ...large,
        }),
      { message: 'patches: 13 × 6 of given must be whole squares of 2' },
    )
    const even = [5, 3, 36, 18]
    const fewer = many.subarray(0, 5 * 3 * 36 * 18)
    await runOnce(device, recording =>
      patches(recording, { pixels: given(device, even, fewer), out: rows, ...large }),
    )
    t.same(Array.from(await device.read(rows)), patchesReference(fewer, even, large))
  })
  t.throws(
    () =>
      patches(new Recording(device), {
        pixels: device.tensor('pixels', [1, 3, 8, 8]),
        out: device.tensor('out', [1, 48]),
        patch: 4,
      }),
    { message: 'patches: out must be (4, 48), got (1, 48)' },
    'an output of another shape is refused',
  )
})

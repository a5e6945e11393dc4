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
        const wanted = patchesReference(pixels, [frames, channels, height, width], patch)
        t.strictSame(Array.from(await device.read(out)), wanted)
      },
    )
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

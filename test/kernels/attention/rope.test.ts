import t, { type Test } from 'tap'
import { rope, ropeReference } from '../../../kernels/attention/rope.ts'
import type { Device } from '../../../kernels/device/device.ts'
import { finiteDifferences } from '../../../kernels/finite-differences.ts'
import { Recording } from '../../../kernels/plan/recording.ts'
import { close, given, noise, onEachFamily, runOnce } from '../support.ts'

await onEachFamily(t, async (device, t) => {
  await t.test('pairs turn by the angle of their position, and the inverse is the gradient', t =>
    rotates(device, t),
  )
  await t.test('only the first heads of a wider row turn', t => rotatesFirst(device, t))
  await t.test('a head of odd size is refused', t => refusesOddHeads(device, t))
})

async function rotates(device: Device, t: Test) {
  // the smallest head, an odd half, packed halves, and more pairs than a GPU's workgroup has lanes
  for (const [rows, heads, headSize] of [
    [1, 1, 2],
    [3, 3, 6],
    [5, 2, 16],
    [2, 9, 58],
    [2, 33, 64],
  ]) {
    const [maxPositions, half] = [7, headSize / 2]
    const size = rows * heads * headSize
    const positions = Uint32Array.from({ length: rows }, (_, row) => (row * 5 + 6) % maxPositions)
    const angles = noise(maxPositions * half, 2, 6)
    const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)]
    const x = noise(size, 1)
    for (const inverse of [false, true]) {
      const moved = given(device, [rows, heads * headSize], x)
      await runOnce(device, recording =>
        rope(recording, {
          x: moved,
          positions: given(device, [rows], positions),
          cosines: given(device, [maxPositions, half], cosines),
          sines: given(device, [maxPositions, half], sines),
          heads,
          headSize,
          inverse,
        }),
      )
      const what = `${rows} rows of ${heads} heads of ${headSize}${inverse ? ', inverse' : ''}`
      const forward = (values: ArrayLike<number>): number[] =>
        ropeReference(values, positions, cosines, sines, { heads, headSize, inverse: false })
      const found = await device.read(moved)
      if (!inverse) close(t, found, forward(x), 3e-7, what)
      // The inverse is the gradient: on small sizes it is held against differences of the forward rotation.
      else if (size <= 200) close(t, found, finiteDifferences(forward, x, x), 1e-6, what)
      else close(t, forward(found), x, 1e-6, `${what} undoes the rotation`)
    }
  }
}

async function rotatesFirst(device: Device, t: Test) {
  // an odd half, and packed halves
  for (const [rows, heads, headSize, all] of [
    [3, 2, 6, 3],
    [2, 4, 16, 6],
  ]) {
    const width = all * headSize
    const half = headSize / 2
    const positions = Uint32Array.from({ length: rows }, (_, row) => rows - 1 - row)
    const angles = noise(rows * half, 2, 6)
    const [cosines, sines] = [angles.map(Math.cos), angles.map(Math.sin)]
    const x = noise(rows * width, 1)
    const moved = given(device, [rows, width], x)
    const of = { heads, headSize, width, inverse: false }
    await runOnce(device, recording =>
      rope(recording, {
        x: moved,
        positions: given(device, [rows], positions),
        cosines: given(device, [rows, half], cosines),
        sines: given(device, [rows, half], sines),
        ...of,
      }),
    )
    const found = await device.read(moved)
    const what = `${heads} of ${all} heads`
    close(t, found, ropeReference(x, positions, cosines, sines, of), 3e-7, what)
    const rest = (values: ArrayLike<number>) =>
      Array.from(values).filter((_, i) => i % width >= heads * headSize)
    t.same(rest(found), rest(x), `${what}: the others stay`)
  }
}

async function refusesOddHeads(device: Device, t: Test) {
  t.throws(
    () => {
      const x = device.tensor('x', [1, 3])
      rope(new Recording(device), {
        x,
        positions: x,
        cosines: x,
        sines: x,
        heads: 1,
        headSize: 3,
        inverse: false,
      })
    },
    { message: 'rope: headSize must be even, got 3' },
  )
}

import { from, lastValueFrom, toArray } from 'rxjs'
import t from 'tap'
import type { Context } from '../../../engine/operator.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import type { Frames } from '../../../operators/kinds.ts'
import thin from '../../../operators/video/thin.ts'
import { plainContext } from '../context.ts'

const device = await openDevice()
t.teardown(() => device.close())

/** Frames of 2 × 2 pixels in 3 channels; all values of frame n are n. */
function framesOf(count: number): Frames {
  const values = Float32Array.from({ length: count * 12 }, (_, i) => Math.floor(i / 12))
  return {
    sample: { video: 'a.mp4', question: '', fields: {} },
    indices: Array.from({ length: count }, (_, i) => 10 * i),
    seconds: Array.from({ length: count }, (_, i) => i / 2),
    durationSeconds: count / 2,
    pixels: device.tensor('pixels', [count, 3, 2, 2], 'f32', values),
  }
}

/** The frames that are kept, and their pixels. */
async function thinned(count: number, given: Frames) {
  const context = { ...plainContext, shared: async () => device } as unknown as Context // it shares nothing else
  const made = { key: 'a', seed: 1, bytes: 0, release: () => {} }
  const derive = (value: unknown) => ({ ...made, value })
  const { frames } = thin.run(
    { frames: from([{ ...made, value: given, derive }]) as never },
    { count },
    context,
  )
  if (!frames) throw new Error('video.thin has the output frames')
  const [item] = await lastValueFrom(frames.pipe(toArray()))
  const kept = item?.value as Frames
  const shape = kept.pixels?.shape
  const pixels = kept.pixels ? await device.read(kept.pixels) : []
  return { ...kept, shape, first: kept.indices.map((_, i) => pixels[i * 12]), count: pixels.length / 12 }
}

t.test('frames are kept evenly spaced, first to last, with their numbers, times and pixels', async t => {
  const few = await thinned(3, framesOf(9))
  t.match(few, { indices: [0, 40, 80], seconds: [0, 2, 4], durationSeconds: 4.5, first: [0, 4, 8], count: 3 })
  t.same(few.shape, [3, 3, 2, 2])
})

t.test('a clip that has fewer frames keeps them all', async t => {
  t.match(await thinned(8, framesOf(2)), { indices: [0, 10], first: [0, 1], count: 2 })
})

t.test('the sizes of the output follow from the config', async t => {
  t.same(
    thin.dims?.({ count: 5 }, () => ({})),
    { K: 5 },
  )
})

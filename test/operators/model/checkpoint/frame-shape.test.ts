import t from 'tap'
import { configFields } from '../../../../operators/model/checkpoint/config-fields.ts'
import { parseShape, sizeOfFrames } from '../../../../operators/model/checkpoint/frame-shape.ts'
import type { CheckpointProblem } from '../../../../operators/model/files/checkpoint-error.ts'

const grid = { unit: 32, step: 2, levels: 4 }
const defaults = { patch: 16, leastPixels: 128 * 1024, mostPixels: 768 * 1024 }
const published = { unit: 32, step: 2, each: false, leastPixels: 4096, mostPixels: 25165824 }
const size = (width: number, height: number, frames: number, shape = published) => {
  const found = sizeOfFrames({ width, height }, frames, shape)
  return `${found.width} × ${found.height}`
}

t.test('frames go to the nearest multiples of 32', async t => {
  t.equal(size(1280, 720, 16), '1280 × 704', 'half of 32 goes to the even multiple')
  t.equal(size(640, 360, 16), '640 × 352')
  t.equal(size(640, 368, 16), '640 × 384')
  t.equal(size(500, 333, 3), '512 × 320')
})

t.test('many frames are reduced until the clip has its pixels, few small ones enlarged', async t => {
  // 64 frames of 1280 × 720 are 2.34 times the most; 1280 / √2.34 = 836.3, 720 / √2.34 = 470.4
  t.equal(size(1280, 720, 64), '832 × 448')
  t.equal(size(33, 40, 2, { ...published, leastPixels: 8192 }), '64 × 96')
  t.equal(size(20, 40, 2), '32 × 64', 'a side shorter than 32 is enlarged to it first')
  t.equal(size(100, 100, 1), size(100, 100, 2), 'a picture counts as a moment')
})

t.test('a frame that is a line is refused', async t => {
  t.throws(() => size(8000, 32, 4), {
    message: /frames are 8000 × 32; the longer side must be at most 200 times/,
  })
})

t.test('a processor of another tower is refused', async t => {
  const faultsOf = (value: object) => {
    const problems: CheckpointProblem[] = []
    const shape = parseShape(configFields('p: ', value, problems), grid, { ...defaults, each: false })
    return { shape, faults: problems.map(({ message }) => message).join('; ') }
  }
  const { shape, faults } = faultsOf({ size: { shortest_edge: 4096, longest_edge: 25165824 } })
  t.same([shape, faults], [published, ''])
  t.equal(faultsOf({}).shape.mostPixels, 786432, 'the default of the class')
  t.match(faultsOf({ patch_size: 14 }).faults, /p: patch_size: must be 32 \/ merge_size/)
  t.match(faultsOf({ temporal_patch_size: 1 }).faults, /temporal_patch_size: must be 2/)
  t.match(
    faultsOf({ size: { shortest_edge: 9, longest_edge: 8 } }).faults,
    /shortest_edge must be at most longest_edge, got 9 and 8/,
  )
  t.match(faultsOf({ size: { shortest_edge: 'a' } }).faults, /size.shortest_edge: must be an integer/)
})

t.test('limits of each frame do not depend on how many there are, unless all share some pixels', async t => {
  const read = (value: object) =>
    parseShape(
      configFields('p: ', value, []),
      { unit: 28, step: 2, levels: 1 },
      { patch: 14, each: true, leastPixels: 128 * 784, mostPixels: 768 * 784 },
    )
  const of = (width: number, height: number, frames: number, value = {}) => {
    const found = sizeOfFrames({ width, height }, frames, read(value))
    return [found.width, found.height]
  }
  // smart_resize of transformers 5.18's Qwen2VLVideoProcessor
  for (const [width, height, ...wanted] of [
    [1920, 1080, 1008, 560],
    [320, 240, 392, 280],
    [500, 20, 1596, 84],
    [40, 2000, 56, 2240],
    [420, 420, 420, 420],
    [14, 14, 336, 336],
    [700, 37, 1400, 84],
  ] as const)
    for (const frames of [1, 64]) t.same(of(width, height, frames), wanted)
  // As the released Qwen2.5-VL has it: in transformers these limits count for clips, too.
  const released = { min_pixels: 3136, max_pixels: 12845056 }
  t.same(of(14, 14, 1, released), [56, 56])
  t.same(of(1920, 1080, 2, released), [1932, 1092])
  t.same(of(40, 2000, 2, released), [28, 1988])
  t.same(of(640, 480, 4, { max_pixels: 200000 }), [504, 364], 'the other limit is that of the class')
  t.same(of(14, 14, 1, { size: { shortest_edge: 1, longest_edge: 2 }, max_pixels: 200000 }), [28, 28])
  // its grids of 4, 20 and 200 frames with cap_pixels_per_frame and max_video_tokens = 4000
  const capped = { cap_pixels_per_frame: true, max_video_tokens: 4000 }
  t.same(of(640, 480, 4, capped), [46 * 14, 34 * 14])
  t.same(of(640, 480, 20, capped), [42 * 14, 32 * 14])
  t.same(of(640, 480, 200, capped), [26 * 14, 20 * 14])
})

t.test('limits of all frames together may leave each only so many pixels', async t => {
  const read = (value: object) =>
    parseShape(configFields('p: ', value, []), grid, { ...defaults, each: false })
  const of = (width: number, height: number, frames: number, value: object) => {
    const found = sizeOfFrames({ width, height }, frames, read(value))
    return [found.width, found.height]
  }
  // resize of transformers 5.18's Qwen3VLVideoProcessor
  const few = { cap_pixels_per_frame: true, max_video_tokens: 40 }
  const size = { shortest_edge: 4096, longest_edge: 25165824 }
  for (const [value, width, height, frames, ...wanted] of [
    [few, 64, 64, 2, 256, 256],
    [few, 1920, 1080, 2, 480, 256],
    [few, 640, 480, 4, 416, 320],
    [few, 640, 480, 5, 416, 320],
    [few, 640, 480, 200, 416, 320],
    [{ cap_pixels_per_frame: true }, 640, 480, 4, 512, 384],
    [{ cap_pixels_per_frame: true }, 640, 480, 20, 416, 320],
    [{ cap_pixels_per_frame: true, size }, 1920, 1080, 2, 1152, 640],
    [{ cap_pixels_per_frame: true, size }, 640, 480, 200, 384, 288],
    [{ cap_pixels_per_frame: false }, 640, 480, 20, 224, 160],
  ] as const)
    t.same(of(width, height, frames, value), wanted, JSON.stringify(value))
})

t.test('limits that the processor would not read, or of which it lacks one, are refused', async t => {
  const faultsOf = (value: object, each: boolean) => {
    const problems: CheckpointProblem[] = []
    parseShape(configFields('p: ', value, problems), grid, { ...defaults, each })
    return problems.map(({ message }) => message).join('; ')
  }
  t.match(
    faultsOf({ max_pixels: 20000 }, false),
    /^p: max_pixels: is not read by the processor of this model; state size.longest_edge$/,
  )
  for (const each of [true, false]) {
    t.match(
      faultsOf({ size: { shortest_edge: 4 } }, each),
      /^p: size: must have shortest_edge and longest_edge, has no longest_edge$/,
    )
    t.match(faultsOf({ size: { height: 20, width: 30 } }, each), /size.height: 20 is not supported/)
    t.match(
      faultsOf({ size: { shortest_edge: 4, longest_edge: 9, min_pixels: 4 } }, each),
      /size.min_pixels: 4 is not supported/,
    )
  }
  t.equal(faultsOf({ size: { min_pixels: 1, max_pixels: 2 }, min_pixels: 3136, max_pixels: 20000 }, true), '')
})

import t from 'tap'
import {
  evenlySpaced,
  oneASecond,
  segmentMiddles,
  sortedUnique,
  strided,
} from '../../../operators/video/frame-indices.ts'

t.test('rule L takes the first frame, the last and floors between them', async t => {
  const hundred = [0, 6, 13, 19, 26, 33, 39, 46, 52, 59, 66, 72, 79, 85, 92, 99]
  const long = [0, 24, 49, 74, 98, 123, 148, 172, 197, 222, 246, 271, 296, 320, 345, 370]
  t.same(evenlySpaced(100, 16), hundred)
  t.same(evenlySpaced(371, 16), long)
  t.same(evenlySpaced(100, 1), [0], 'one frame is the first')
})

t.test('rule L repeats frames of a short clip, and unique leaves the repeats out', async t => {
  t.same(evenlySpaced(10, 16), [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 7, 7, 8, 9])
  t.same(evenlySpaced(1, 16), Array(16).fill(0))
  t.same(sortedUnique(evenlySpaced(10, 16)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

t.test('rule L computes in float64: it differs from exact fractions for 64 of 154 frames', async t => {
  const exact = Array.from({ length: 64 }, (_, i) => Math.floor((i * 153) / 63))
  const found = evenlySpaced(154, 64)
  t.equal(found.at(-1), 153)
  t.notSame(found, exact)
  t.same(found, Array.from({ length: 63 }, (_, i) => Math.floor(i * (153 / 63))).concat(153))
})

t.test('rule M takes the middles of segments, rounding halves to even', async t => {
  const video = segmentMiddles({ count: 16, framesPerSecond: 30, first: 0, last: 119 })
  t.same(video, [3, 10, 18, 25, 33, 40, 48, 55, 63, 70, 77, 85, 92, 100, 107, 115])
  const folder = { count: 16, framesPerSecond: 3, first: 1, last: 180 }
  const early = [17, 20, 23, 26, 29, 31, 34, 37, 40, 43, 46, 49, 51, 54, 57, 60]
  t.same(segmentMiddles({ ...folder, bounds: [5.2, 20.7] }), early)
  const late = [150, 152, 154, 156, 158, 159, 161, 163, 165, 167, 169, 171, 172, 174, 176, 178]
  t.same(segmentMiddles({ ...folder, bounds: [50, 80] }), late, 'an end after that of the clip is cut')
})

t.test('rule S takes whole strides, at most one frame a second', async t => {
  t.same(strided(5, 30, 4), [0, 37, 74, 111])
  t.same(strided(7, 25, 16), [0, 25, 50, 75, 100, 125, 150])
  t.same(strided(0.9, 25, 16), [], 'less than a second gives none')
})

t.test('one frame a second is at least one and at most the cap', async t => {
  t.same(
    [0.4, 1, 12.9, 600].map(seconds => oneASecond(seconds, 64)),
    [1, 1, 12, 64],
  )
})

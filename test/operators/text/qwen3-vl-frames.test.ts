import t from 'tap'
import { oneDecimal } from '../../../operators/text/python.ts'
import { qwen3VlFrames, qwen3VlMoments } from '../../../operators/text/qwen3-vl-frames.ts'
import { placesOf, templates } from '../../../operators/text/template.ts'

t.test('two frames are a moment, with the middle of their times', async t => {
  const clip = { seconds: [0, 1, 12.5], durationSeconds: 20 }
  const image = '<|vision_start|><image><|vision_end|>'
  t.equal(qwen3VlMoments(clip), `<0.5 seconds>${image}<12.5 seconds>${image}`)
  t.equal(qwen3VlFrames(clip), `<|vision_start|>${qwen3VlMoments(clip)}<|vision_end|>`)
  t.equal(placesOf(templates.qwen3vl, clip), 2)
  t.equal(placesOf(templates.internvl, clip), 3)
  t.equal(placesOf(templates.qwen2_base, clip), 1)
})

t.test('times are rounded as Python rounds them', async t => {
  // Python: [f'{x:.1f}' for x in (0.25, 0.75, 1.25, 0.05, 0.15, 2.999, 12.34, 0.35, 100.75)]
  t.same([0.25, 0.75, 1.25, 0.05, 0.15, 2.999, 12.34, 0.35, 100.75].map(oneDecimal), [
    '0.2',
    '0.8',
    '1.2',
    '0.1',
    '0.1',
    '3.0',
    '12.3',
    '0.3',
    '100.8',
  ])
})

import t from 'tap'
import { type ProcessorKind, parseProcessor } from '../../../../operators/model/checkpoint/processor.ts'
import type { CheckpointProblem } from '../../../../operators/model/files/checkpoint-error.ts'

const processor = (value: object, kind: ProcessorKind = 'siglip') => {
  const problems: CheckpointProblem[] = []
  return {
    ...parseProcessor('p', value, { imageSize: 9, kind }, problems),
    problems: problems.map(({ message }) => message),
  }
}

t.test('the processor: sizes in both forms, switches, numbers for all channels or each', async t => {
  const plain = {
    size: 9,
    resize: true,
    rescaleFactor: 1 / 255,
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    problems: [],
  }
  t.strictSame(processor({ size: 9 }), plain)
  t.strictSame(processor({ size: { height: 9, width: 9 } }), plain)
  t.strictSame(processor({ size: 9, do_rescale: false, do_normalize: false, do_resize: false }), {
    ...plain,
    resize: false,
    rescaleFactor: 1,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  })
  t.match(processor({ size: 9, image_mean: 0.25, image_std: [1, 2, 3], rescale_factor: 0.5 }), {
    mean: [0.25, 0.25, 0.25],
    std: [1, 2, 3],
    rescaleFactor: 0.5,
  })
})

t.test('the processor of SmolVLM: frames are resized to a longer side first, then squared', async t => {
  const square = { max_image_size: { longest_edge: 9 } }
  const sampling = { fps: 1, max_frames: 64, video_size: { longest_edge: 512 } }
  const size = { longest_edge: 2048 }
  const edge = (value: object) => processor({ ...square, ...value }, 'smolvlm').longestEdge
  t.equal(edge({ size, video_sampling: sampling }), 512)
  t.equal(edge({ size }), 2048)
  t.equal(edge({}), 1456)
  t.equal(edge({ size: { longest_edge: 9000 } }), 4096)
  t.strictSame(processor({ ...square, size: { height: 4, width: 4 } }, 'smolvlm').problems, [
    'p: size: must have a longest_edge, a whole number of pixels, got {"height":4,"width":4}',
  ])
})

t.test('the processor: what has no arithmetic here is refused', async t => {
  t.strictSame(
    processor({ size: { height: 9, width: 8 }, resample: 2, do_center_crop: true, image_std: [1, 0, 1] })
      .problems,
    [
      'p: resample: 2 is not supported; it must be absent or 3',
      'p: do_center_crop: true is not supported; it must be absent or false',
      `p: size: must be 9 by 9 as the vision tower's image_size, got {"height":9,"width":8}`,
      'p: image_std: must be a number or three, and not zero for std, got [1,0,1]',
    ],
  )
  t.strictSame(processor({ size: 9, image_processor_type: 'CLIPImageProcessor' }).problems, [
    'p: image_processor_type: "CLIPImageProcessor" is not supported; it must be absent or "SiglipImageProcessor" or "SiglipImageProcessorFast"',
  ])
})

t.test('the processor of InternVL: a square with the means of its class, for pictures or clips', async t => {
  const square = { size: { height: 9, width: 9 } }
  t.match(processor({ ...square, image_processor_type: 'GotOcr2ImageProcessorFast' }, 'internvl'), {
    size: 9,
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    problems: [],
  })
  const clips = {
    ...square,
    video_processor_type: 'InternVLVideoProcessor',
    image_mean: [0.485, 0.456, 0.406],
  }
  t.match(processor(clips, 'internvl'), { mean: [0.485, 0.456, 0.406], problems: [] })
  t.match(processor({ ...clips, video_processor_type: 'Other' }, 'internvl').problems, [
    /video_processor_type: "Other"/,
  ])
})

import { operator } from '../../engine/operator.ts'
import type { Clip, Sample } from '../kinds.ts'
import { openClip } from './open-clip.ts'

/** Files are decoded once without converting pixels, to count their frames; what cannot be used is an error of its item. */
export default operator({
  summary: 'Opens the clip of each sample: any file that ffmpeg reads, or a folder of numbered pictures.',
  config: {
    deadlineSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 20,
      description: 'Time for each ffmpeg process, to open a clip or to read frames of it; then it is killed.',
    },
    folderFramesPerSecond: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 3,
      description: 'Frame rate of folders of pictures.',
    },
    concurrency: { type: 'integer', minimum: 1, default: 2, description: 'Clips opened at the same time.' },
  },
  inputs: { samples: 'sample' },
  outputs: { clips: 'clip' },
  run: ({ samples }, { deadlineSeconds, folderFramesPerSecond, concurrency }, context) => {
    const options = { deadlineSeconds, folderFramesPerSecond, signal: context.signal }
    const open = (sample: Sample): Promise<Clip> => openClip(sample.video, sample, options)
    return { clips: samples.pipe(context.each(open, { concurrency })) }
  },
})

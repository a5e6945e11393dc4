import { codecs } from '#codecs'
import { operator } from '../../engine/operator.ts'
import type { Clip, Sample } from '../kinds.ts'
import { clipsAtOnce, concurrencyField } from './concurrency.ts'

/**
 * Opening a clip counts its frames and finds what is wrong with it, which is an error of its item when it cannot be used.
 * Frames are decoded when a later operator reads them, and only those that it asks for.
 */
export default operator({
  summary:
    'Opens the clip of each sample, any file that ffmpeg reads or a folder of numbered pictures, and decodes the frames that are asked for.',
  config: {
    deadlineSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 20,
      description:
        'Longest time that an ffmpeg process may make no progress; after it the process is killed and the clip fails.',
    },
    folderFramesPerSecond: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 3,
      description: 'Frame rate of folders of pictures.',
    },
    concurrency: concurrencyField,
  },
  inputs: { samples: 'sample' },
  outputs: { clips: 'clip' },
  drops: false,
  run: ({ samples }, { deadlineSeconds, folderFramesPerSecond, concurrency }, context) => {
    const options = { deadlineSeconds, folderFramesPerSecond, signal: context.signal }
    const open = async (sample: Sample) => {
      const opened = { deadlineSeconds, folderFramesPerSecond }
      const clip = Object.assign(await codecs.openClip(sample.video, sample, options), { opened })
      return context.emit<Clip>(clip, { dispose: () => clip.close?.() })
    }
    return { clips: samples.pipe(context.each(open, { concurrency: clipsAtOnce(concurrency) })) }
  },
})

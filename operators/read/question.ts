import { operator } from '../../engine/operator.ts'
import type { Sample } from '../kinds.ts'
import { inspectOne } from './inspect-samples.ts'

export default operator({
  summary: 'Asks one question about one clip.',
  config: {
    video: { type: 'string', description: 'The clip: any file that ffmpeg reads, or a folder of pictures.' },
    question: { type: 'string', description: 'The question, with its options if it has any.' },
  },
  inputs: {},
  outputs: { samples: 'sample' },
  inspect: ({ video, question }) => inspectOne({ video, question, fields: {} }),
  run: (_, { video, question }, context) => ({
    samples: context.source<Sample>(async function* () {
      yield { key: video, value: { video, question, fields: {} } }
    }),
  }),
})

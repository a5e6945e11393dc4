import { operator } from '../../engine/operator.ts'
import { answering } from './without-model.ts'

export default operator({
  summary: 'Answers every question with the same words, in place of a model.',
  config: {
    output: {
      type: 'string',
      default: '<think> Always the same. </think><answer> A </answer>',
      description: 'The whole output.',
    },
  },
  inputs: { watched: 'watched' },
  outputs: { answers: 'answer' },
  drops: false,
  run: ({ watched }, { output }, context) => ({ answers: watched.pipe(answering(context, () => output)) }),
})

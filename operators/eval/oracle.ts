import { operator } from '../../engine/operator.ts'
import { answering } from './without-model.ts'

/** A pipeline without faults scores 100 % of what can be won with it. */
export default operator({
  summary: 'Answers every question with its true letter, in place of a model.',
  config: {
    form: {
      type: 'string',
      default: '<think> I was told. </think><answer> {letter} </answer>',
      description:
        'The whole output; `{letter}` is replaced by the true letter, or by `none` where there is none.',
    },
  },
  inputs: { watched: 'watched' },
  outputs: { answers: 'answer' },
  drops: false,
  run: ({ watched }, { form }, context) => ({
    answers: watched.pipe(
      answering(context, ({ fields }) => form.replace('{letter}', () => fields.answer ?? 'none')),
    ),
  }),
})

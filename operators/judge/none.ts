import { operator } from '../../engine/operator.ts'
import type { Question } from '../question.ts'
import { refuseUnused, unusedFields, unusedModel } from './unused.ts'

/** Only answers that equal the true one are right then; the others are stored, for a judge to come. */
export default operator({
  summary: 'Passes answers on without a judge, and without what an earlier one has said.',
  config: { ...unusedModel, ...unusedFields },
  inputs: { answers: 'answer' },
  outputs: { answers: 'answer' },
  drops: false,
  run: ({ answers }, config, context) => {
    refuseUnused(config, 'none')
    return {
      answers: answers.pipe(context.each(({ judgement: _, ...question }: Question): Question => question)),
    }
  },
})

import { resolve } from 'node:path'
import { operator } from '../../engine/operator.ts'
import type { Benchmark } from '../read/benchmark-kinds.ts'
import { EvaluationError } from './evaluation-error.ts'
import { sharedResults } from './results/opening.ts'
import { readRecipe } from './results/store.ts'
import { scoringOf } from './run-recipe.ts'

export default operator({
  summary: 'Copies the recipe of a folder of results to a new folder, with changes.',
  config: {
    folder: { type: 'string', writes: true, description: 'The new folder.' },
    from: { type: 'string', description: 'The folder whose recipe is copied.' },
    changes: { type: 'object', description: 'Fields of the recipe that change, with their new values.' },
  },
  inputs: { benchmark: 'benchmark' },
  outputs: { benchmark: 'benchmark' },
  drops: false,
  run: ({ benchmark }, { folder, from, changes }, context) => ({
    benchmark: benchmark.pipe(
      context.each(async (value: Benchmark) => {
        if (resolve(folder) === resolve(from))
          throw new EvaluationError(
            'other-recipe',
            `${folder}: must be another folder than the one read from`,
          )
        const recipe = { ...readRecipe(from), ...changes, ...scoringOf(context.parts) }
        await sharedResults(folder, recipe, context)
        return value
      }),
    ),
  }),
})

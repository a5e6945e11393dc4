import { operator } from '../../engine/operator.ts'
import type { Benchmark } from '../read/benchmark-kinds.ts'
import { agreeOnRecipe, readRecipe } from './results/store.ts'

export default operator({
  summary: 'Gives a new folder of results the recipe of another one with changes.',
  config: {
    folder: { type: 'string', description: 'The new folder.' },
    from: { type: 'string', description: 'The folder whose recipe is taken over.' },
    changes: { type: 'object', description: 'Fields that are different now.' },
  },
  inputs: { benchmark: 'benchmark' },
  outputs: { benchmark: 'benchmark' },
  run: ({ benchmark }, { folder, from, changes }, context) => ({
    benchmark: benchmark.pipe(
      context.each((value: Benchmark) => {
        agreeOnRecipe(folder, { ...readRecipe(from), ...changes })
        return value
      }),
    ),
  }),
})

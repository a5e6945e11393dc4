import { operator } from '../../engine/operator.ts'
import type { Question } from '../question.ts'
import type { Benchmark } from '../read/benchmark-kinds.ts'
import { questionOf } from './results/result.ts'
import { readBenchmark, readResults } from './results/store.ts'

/** Scoring them anew needs neither clips nor a model. */
export default operator({
  summary: 'Reads the answers that an evaluation has stored.',
  config: { folder: { type: 'string', description: 'Folder of the results.' } },
  inputs: {},
  outputs: { answers: 'answer', benchmark: 'benchmark' },
  inspect: async ({ folder }) => [`${[...readResults(folder, readBenchmark(folder))].length} answers`],
  run: (_, { folder }, context) => ({
    answers: context.source<Question>(async function* () {
      for (const result of readResults(folder, readBenchmark(folder)))
        yield { key: result.id, value: questionOf(result) }
    }),
    benchmark: context.source<Benchmark>(async function* () {
      const value = readBenchmark(folder)
      yield { key: value.name, value }
    }),
  }),
})

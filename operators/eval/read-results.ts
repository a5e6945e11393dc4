import { operator } from '../../engine/operator.ts'
import type { Question } from '../question.ts'
import type { Benchmark } from '../read/benchmark-kinds.ts'
import { questionOf, type Result } from './results/result.ts'
import { readBenchmark, readResults } from './results/store.ts'

/** The id of the question; of a further answer to it, with the number of its repeat. */
const keyOf = ({ id, repeat = 0 }: Result): string => (repeat === 0 ? id : `${id} repeat ${repeat}`)

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
        yield { key: keyOf(result), value: questionOf(result) }
    }),
    benchmark: context.source<Benchmark>(async function* () {
      const value = readBenchmark(folder)
      yield { key: value.name, value }
    }),
  }),
})

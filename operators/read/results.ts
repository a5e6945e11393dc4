import { operator } from '../../engine/operator.ts'
import type { Answer, FailureOutcome, Result } from '../eval/kinds.ts'
import { readBenchmark, readResults } from '../eval/results/store.ts'
import { isFailure } from '../eval/results/summary.ts'
import type { Benchmark } from './benchmark-kinds.ts'

/** Scoring them anew needs neither clips nor a model. */
export default operator({
  summary: 'Reads the answers that an evaluation has stored.',
  config: { folder: { type: 'string', description: 'Folder of the results.' } },
  inputs: {},
  outputs: { answers: 'answer', benchmark: 'benchmark' },
  run: (_, { folder }, context) => ({
    answers: context.source<Answer>(async function* () {
      for (const result of readResults(folder, readBenchmark(folder)))
        yield { key: result.id, value: answerOf(result) }
    }),
    benchmark: context.source<Benchmark>(async function* () {
      const value = readBenchmark(folder)
      yield { key: value.name, value }
    }),
  }),
})

function answerOf(result: Result): Answer {
  const { id, benchmark, tasks, groups, clip, options, letters, answer, question, output } = result
  const { prompt, indices, framesPerSecond, tokens, finished, message, outcome } = result
  const frames = { rule: 'L', unique: false, bounded: false } as const
  const fields = { id, benchmark, tasks, groups, clip, options, letters, answer, frames }
  const about = { question: { video: clip, question, fields }, seconds: {} }
  // a sheet stays in the folder that it was made for
  const asked = prompt === null || framesPerSecond === null ? undefined : { prompt, indices, framesPerSecond }
  const base = { ...about, ...(asked && { asked }) }
  if (isFailure(outcome) || output === null)
    return { ...base, failure: { outcome: outcome as FailureOutcome, message: message ?? '' } } // `isFailure` says so
  return { ...base, reply: { text: output, tokens, finished } }
}

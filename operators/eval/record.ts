import { concat, defer, from, ignoreElements, merge } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import type { QuestionWith } from '../question.ts'
import type { Benchmark } from '../read/benchmark-kinds.ts'
import { writeReport } from './results/report.ts'
import { resultOf } from './results/result.ts'
import { appendTiming, putResult, resultsFolder, writeBenchmark } from './results/store.ts'

/** Results are on disk before their items are released. What other processes have put into the folder is reported too. */
export default operator({
  summary: 'Commits each result once, and at the end writes the report of all results in the folder.',
  config: {
    folder: { type: 'string', default: '', description: 'Folder of the results; empty for one in the run.' },
  },
  inputs: { results: 'result', benchmark: 'benchmark' },
  outputs: {},
  run: ({ results, benchmark }, { folder: given }, context) => {
    const folder = resultsFolder(given, context)
    let done = 0
    const kept: Item<Benchmark>[] = []
    const describe = benchmark.pipe(
      context.each((value: Benchmark, item) => {
        writeBenchmark(folder, value)
        kept.push(item.derive(value))
        return undefined
      }),
    )
    const commit = results.pipe(
      context.each((question: QuestionWith<'verdict'>) => {
        const result = resultOf(question)
        if (putResult(folder, result)) {
          const { id, clip, tokens } = result
          appendTiming(folder, { id, clip, tokens, ...question.seconds })
          context.record('results', { id, outcome: result.outcome })
        }
        context.progress({ done: ++done })
        return undefined
      }),
    )
    const finish = defer(() => from(kept)).pipe(
      context.each(async (value: Benchmark) => {
        const { line } = await writeReport(folder, value)
        context.log(line)
        return undefined
      }),
    )
    return { done: concat(merge(describe, commit).pipe(ignoreElements()), finish) }
  },
})

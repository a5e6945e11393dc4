import { join } from 'node:path'
import { concat, defer, finalize, from, ignoreElements, merge, Subject } from 'rxjs'
import { type Context, type Item, operator } from '../../engine/operator.ts'
import { isObject, readJsonObject } from '../../engine/shared/json.ts'
import type { QuestionWith } from '../question.ts'
import type { Benchmark } from '../read/benchmark-kinds.ts'
import { EvaluationError } from './evaluation-error.ts'
import { countsField, setsOf } from './frame-counts.ts'
import { openedResults } from './results/opening.ts'
import { type Origin, writeOrigin } from './results/origin.ts'
import { recipeDigests } from './results/recipe-fields.ts'
import { writeReport } from './results/report.ts'
import { resultOf } from './results/result.ts'
import {
  appendTiming,
  folderOfCount,
  putResult,
  recipeIn,
  resultsFolder,
  writeBenchmark,
} from './results/store.ts'

/** Results are on disk before their items are released. What other processes have put into the folder is reported too. */
export default operator({
  summary: 'Commits each result once, and at the end writes the report of all results in the folder.',
  config: {
    folder: {
      type: 'string',
      writes: true,
      default: '',
      description: 'Folder of the results; empty for one in the run.',
    },
    counts: countsField,
    failOnError: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.1,
      description:
        'The run fails if more than one question, and more than this share of all questions, could not be asked.',
    },
  },
  inputs: { results: 'result', benchmark: 'benchmark' },
  outputs: {},
  serial: true,
  run: ({ results, benchmark }, { folder: given, counts, failOnError }, context) => {
    const whole = resultsFolder(given, context)
    const folders = setsOf(whole, counts).map(({ folder }) => folder)
    let done = 0
    const digests = new Map<string, ReturnType<typeof recipeDigests>>()
    const kept: Item<Benchmark>[] = []
    // The benchmark comes first, for the node that passes it on may be the one that opens the folder. Its stream may end
    // as late as the questions: who waits for that end waits for ever, because nobody takes the results meanwhile.
    const begun = new Subject<never>()
    const describe = benchmark.pipe(
      context.each((value: Benchmark, item) => {
        kept.push(item.derive(value))
        begun.complete()
        return undefined
      }),
      finalize(() => begun.complete()),
    )
    const commit = concat(begun, results).pipe(
      context.each(async (question: QuestionWith<'verdict'>) => {
        const folder = folderOfCount(whole, question.count)
        // the folder is this run's only after it was opened, which is before the first result
        if (!digests.has(folder)) {
          for (const { value } of kept) writeBenchmark(folder, value)
          digests.set(folder, recipeDigests(recipeIn(folder) ?? {}))
        }
        ;(await openedResults(folder, context))?.check()
        const made = question.digests && { ...question.digests, ...digests.get(folder) }
        const result = resultOf(made ? { ...question, digests: made } : question)
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
        const troubles: string[] = []
        for (const folder of folders) {
          ;(await openedResults(folder, context))?.check()
          writeBenchmark(folder, value)
          writeOrigin(folder, originOf(context))
          const { summary, line } = await writeReport(folder, value, failOnError)
          const { trouble } = summary
          if (trouble === undefined) context.log(line)
          else troubles.push(`${trouble}; ${line}`)
        }
        if (troubles.length > 0) throw new EvaluationError('many-failures', troubles.join('\n'))
        return undefined
      }),
    )
    return { done: concat(merge(commit, describe).pipe(ignoreElements()), finish) }
  },
})

/** What the run's manifest and graph say about where results come from. */
function originOf({ runDirectory, parts }: Context): Origin {
  const { versions, git, adapter } = readJsonObject(join(runDirectory, 'manifest.json'))
  const reader = parts.find(({ type, config }) => type.startsWith('read.') && 'path' in config)
  const commit = isObject(git) ? `${git.commit}${git.changed === true ? ', with changes' : ''}` : null
  const gpu = isObject(adapter)
    ? Object.values(adapter).filter(one => typeof one === 'string' && one !== '')
    : []
  return {
    data: reader ? String(reader.config.path) : null,
    version: isObject(versions) ? String(versions.flow) : null,
    commit,
    adapter: gpu.length > 0 ? gpu.join(', ') : null,
    date: new Date().toISOString(),
  }
}

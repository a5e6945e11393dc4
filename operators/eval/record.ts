import { join } from 'node:path'
import { concat, defer, finalize, from, ignoreElements, merge, Subject } from 'rxjs'
import { type Context, type Item, operator } from '../../engine/operator.ts'
import { isObject, readJsonObject } from '../../engine/shared/json.ts'
import { isFailure, type QuestionWith } from '../question.ts'
import type { Benchmark } from '../read/benchmark-kinds.ts'
import { EvaluationError } from './evaluation-error.ts'
import { countsField, setsOf } from './frame-counts.ts'
import { openedResults } from './results/opening.ts'
import { type Origin, writeOrigin } from './results/origin.ts'
import { recipeDigests, repeatsOf } from './results/recipe-fields.ts'
import { writeReport } from './results/report.ts'
import { type Result, resultOf } from './results/result.ts'
import {
  appendTiming,
  folderOfCount,
  putResult,
  readResults,
  recipeIn,
  resultsFolder,
  writeBenchmark,
} from './results/store.ts'
import { idsOfShard, type Score, type Summary } from './results/summary.ts'

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
    const progress = questionProgress(folders, context)
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
          for (const { value } of kept) {
            writeBenchmark(folder, value)
            progress.begin(folder, value)
          }
          digests.set(folder, recipeDigests(recipeIn(folder) ?? {}))
        }
        ;(await openedResults(folder, context))?.check()
        const made = question.digests && { ...question.digests, ...digests.get(folder) }
        const result = resultOf(made ? { ...question, digests: made } : question)
        if (putResult(folder, result)) {
          const { id, clip, tokens } = result
          appendTiming(folder, { id, clip, tokens, ...question.seconds })
          context.record('results', shownOf(result))
        }
        progress.put(folder, result)
        return undefined
      }),
    )
    const finish = defer(() => from(kept)).pipe(
      context.each(async (value: Benchmark) => {
        const troubles: string[] = []
        const scores: object[] = []
        for (const folder of folders) {
          ;(await openedResults(folder, context))?.check()
          writeBenchmark(folder, value)
          writeOrigin(folder, originOf(context))
          const { summary, line, isScored } = await writeReport(folder, value, failOnError)
          scores.push({ folder, ...scoreOf(summary, isScored) })
          const { trouble } = summary
          if (trouble === undefined) context.log(line)
          else troubles.push(`${trouble}; ${line}`)
        }
        context.manifest('evaluation', scores)
        if (troubles.length > 0) throw new EvaluationError('many-failures', troubles.join('\n'))
        return undefined
      }),
    )
    return { done: concat(merge(commit, describe).pipe(ignoreElements()), finish) }
  },
})

/** The score of a folder, as the manifest of the run that reports it keeps it. */
function scoreOf({ benchmark, scores, done, expected }: Summary, isScored: boolean): object {
  const [{ name, mean, low, high } = {}] = scores as readonly Partial<Score>[]
  const score = isScored && { score: name, accuracy: mean, low, high }
  return { benchmark, ...score, questions: done, of: expected }
}

/** Tells how many of the questions of all folders have an answer; those that could not be asked earlier are asked again. */
function questionProgress(folders: readonly string[], { progress }: Context) {
  const answered = new Set<string>()
  let total = 0
  let of = 'questions'
  const name = (folder: string, { id, repeat = 0 }: Pick<Result, 'id' | 'repeat'>) =>
    JSON.stringify([folder, id, repeat])
  const tell = () => progress({ done: Math.min(answered.size, total), total, of, isMost: true })
  return {
    begin: (folder: string, benchmark: Benchmark) => {
      const repeats = repeatsOf(recipeIn(folder) ?? {})
      const ids = new Set(idsOfShard(benchmark))
      total = ids.size * repeats * folders.length
      if (repeats * folders.length > 1) of = 'answers'
      for (const result of readResults(folder, benchmark))
        if (ids.has(result.id) && !isFailure(result.outcome)) answered.add(name(folder, result))
    },
    put: (folder: string, result: Result) => {
      answered.add(name(folder, result))
      tell()
    },
  }
}

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

/** What the page of the run shows of a result, whose folder may lie elsewhere. */
function shownOf(result: Result) {
  const { id, clip, question, options, answer, outcome, chosen, output, finished, message } = result
  return { id, clip, question, options, answer, outcome, chosen, output, finished, message }
}

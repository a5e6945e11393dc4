import { dirname } from 'node:path'
import { makeFolder } from '../../../engine/shared/files.ts'
import { inside } from '../../../engine/shared/inside.ts'
import { replaceFile } from '../../../engine/shared/replace-file.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { choicesIn, type Exported, type Files } from './export-kinds.ts'
import { lmmsEvalFiles } from './export-lmms-eval.ts'
import { publishedFiles } from './export-published.ts'
import { byQuestion } from './repeats.ts'
import { wordsOf } from './report-items.ts'
import type { Result } from './result.ts'
import { readBenchmark, readRecipe, readResults } from './store.ts'

export const exportForms = ['lmms-eval', 'video-mme', 'mlvu-test', 'lvbench', 'published'] as const

export type ExportForm = (typeof exportForms)[number]

/**
 * Writes the results of a folder in the form of another program. `paths` are those of the files; `lack` is a line that says
 * which questions they do not hold, where the folder does not hold all.
 */
export function exportResults(
  folder: string,
  form: ExportForm,
  out: string,
): { paths: string[]; lack?: string } {
  const benchmark = readBenchmark(folder)
  const answers = byQuestion(readResults(folder, benchmark))
  const results = answers.flatMap(([first]) => first ?? [])
  if (results.length === 0) throw new EvaluationError('no-results', `${folder}: holds no result yet`)
  const files = forms[form]({ folder, benchmark, recipe: readRecipe(folder), results, answers })
  const paths = Object.entries(files).map(([name, text]) => {
    const path = inside(out, name)
    makeFolder(dirname(path))
    replaceFile(path, text)
    return path
  })
  const [held, all] = [answers.length, benchmark.questions.length]
  if (held === all) return { paths }
  const lack = `${folder}: holds ${held} of ${all} questions, and the files hold no others; run the evaluation to its end, or merge its shards`
  return { paths, lack }
}

const forms: Readonly<Record<ExportForm, (exported: Exported) => Files>> = {
  'lmms-eval': lmmsEvalFiles,
  'video-mme': videoMmeFiles,
  'mlvu-test': mlvuTestFiles,
  lvbench: lvbenchFiles,
  published: publishedFiles,
}

/** What is answered, without a letter nothing: the official script leaves that out of its denominator. */
const letterOf = ({ chosen }: Result): string => chosen ?? ''

/** The id without the name of the benchmark. */
const ownId = ({ id }: Result): string => id.slice(id.indexOf('/') + 1)

/** One object for each clip, with the keys of the official template. */
function videoMmeFiles(exported: Exported): Files {
  mustBe('video-mme', exported)
  const { results } = exported
  const clips = new Map<string, Result[]>()
  for (const result of results) clips.set(result.clip, [...(clips.get(result.clip) ?? []), result])
  const rows = [...clips.values()].map(questions => {
    const [first] = questions
    const { duration, domain, sub_category } = first?.groups ?? {}
    return {
      video_id: first ? ownId(first).replace(/-\d+$/, '') : '',
      duration_category: duration,
      video_category: domain,
      video_subcategory: sub_category,
      questions: questions.map(result => ({
        question_id: ownId(result),
        task_type: result.tasks[0],
        question: wordsOf(result),
        choices: result.options,
        answer: result.answer,
        response: letterOf(result),
      })),
    }
  })
  return { 'video-mme.json': json(rows) }
}

/** Only the test set has questions with ids of their own, such as `AR_0`. */
function mlvuTestFiles(exported: Exported): Files {
  mustBe('mlvu', exported)
  const { folder, results } = exported
  const development = results.find(result => ownId(result).includes('/'))
  if (development)
    throw new EvaluationError(
      'other-benchmark',
      `${folder}: must be results of MLVU's test set, found ${development.id} of its development set`,
    )
  const rows = choicesIn(exported).map(result => ({
    question_id: ownId(result),
    question_type: result.tasks[0],
    option: letterOf(result),
  }))
  return { 'test_res.json': json(rows) }
}

const lvbenchNames: Readonly<Record<string, string>> = {
  'key information retrieval': 'KIR',
  'event understanding': 'EU',
  summarization: 'Sum',
  'entity recognition': 'ER',
  reasoning: 'Rea',
  'temporal grounding': 'TG',
}

/** Letters by the ids of their questions, and the accuracies that the leaderboard takes. */
function lvbenchFiles(exported: Exported): Files {
  mustBe('lvbench', exported)
  const { results } = exported
  const share = (some: readonly Result[]) =>
    some.filter(({ outcome }) => outcome === 'right').length / some.length
  const types = [...new Set(results.flatMap(({ tasks }) => tasks))]
  const accuracies = types.map(type => [
    lvbenchNames[type] ?? type,
    share(results.filter(({ tasks }) => tasks.includes(type))),
  ])
  return {
    'answers.json': json(Object.fromEntries(results.map(result => [ownId(result), letterOf(result)]))),
    'result.json': json({ ...Object.fromEntries(accuracies), Overall: share(results) }),
  }
}

function mustBe(name: string, { folder, benchmark }: Exported): void {
  if (benchmark.name === name) return
  throw new EvaluationError(
    'other-benchmark',
    `${folder}: must be results of ${name}, found those of ${benchmark.name}`,
  )
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

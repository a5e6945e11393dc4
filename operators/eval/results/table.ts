import { basename, resolve } from 'node:path'
import type { Benchmark } from '../../read/benchmark-kinds.ts'
import { EvaluationError } from '../evaluation-error.ts'
import { percent } from './percent.ts'
import { averageName } from './report-frame.ts'
import { headingOf } from './report-heading.ts'
import { csvCell } from './report-text.ts'
import { type Recipe, readBenchmark, readRecipe, readResults } from './store.ts'
import { idsOfShard, type Score, summarise } from './summary.ts'

/** Several evaluations at a glance: a row for each model, a column for each benchmark. */
export interface ResultsTable {
  /** Names of the benchmarks, each with its average. */
  columns: readonly { benchmark: string; average: string }[]
  rows: readonly { model: string; cells: readonly (Cell | null)[] }[]
  notes: readonly string[]
}

/** The score of a model on a benchmark; `notes` are numbers of notes, from 1. */
export interface Cell {
  score: Score
  /** Standard deviation over several answers to each question. */
  deviation: number | null
  notes: readonly number[]
}

interface Evaluation {
  folder: string
  model: string
  benchmark: Benchmark
  recipe: Recipe
  score: Score
  deviation: number | null
  /** Questions that have a result, and that should have one. */
  done: number
  expected: number
}

/** Fields that name the model or the benchmark: they differ from cell to cell. */
const names = ['model', 'answers', 'weights', 'configuration', 'tokenizer', 'adapter', 'benchmark']

/** Puts folders of results into one table. What was not made like the first of its column has a note. */
export function tabulate(folders: readonly string[]): ResultsTable {
  const evaluations = folders.map(evaluationIn)
  const [origin] = evaluations
  if (!origin) throw new EvaluationError('no-results', 'table: must be given folders of results, found none')
  const benchmarks = [...new Set(evaluations.map(({ benchmark }) => benchmark.name))]
  const firsts = benchmarks.map(
    name => evaluations.find(({ benchmark }) => benchmark.name === name) ?? origin,
  )
  const notes: string[] = []
  const numberOf = (note: string): number => {
    if (!notes.includes(note)) notes.push(note)
    return notes.indexOf(note) + 1
  }
  const rows = rowsOf(evaluations).map(({ model, row }) => ({
    model,
    cells: firsts.map((first): Cell | null => {
      const found = row.find(({ benchmark }) => benchmark.name === first.benchmark.name)
      if (!found) return null
      // the first of a column is compared with the first of the table, of which it may differ in its questions
      const differences =
        found === first
          ? differencesFrom(origin.recipe, found.recipe, [...names, 'variant'])
          : differencesFrom(first.recipe, found.recipe, names)
      return {
        score: found.score,
        deviation: found.deviation,
        notes: [...gapsOf(found), ...differences].map(numberOf),
      }
    }),
  }))
  const columns = firsts.map(({ benchmark, score }) => ({
    benchmark: benchmark.name,
    average: averageName(score.name),
  }))
  return { columns, rows, notes }
}

function evaluationIn(folder: string): Evaluation {
  const benchmark = readBenchmark(folder)
  const recipe = readRecipe(folder)
  const ids = new Set(idsOfShard(benchmark))
  const results = readResults(folder, benchmark).filter(({ id }) => ids.has(id))
  const { scores, done, expected, repeats } = summarise(benchmark, recipe, results, [])
  const [score] = scores
  if (!score || results.length === 0)
    throw new EvaluationError('no-results', `${folder}: holds no result yet`)
  return {
    folder,
    model: headingOf(folder, recipe).model,
    benchmark,
    recipe,
    score,
    deviation: repeats?.deviation ?? null,
    done,
    expected,
  }
}

/** A model has one row, unless it has several results for a benchmark: then each folder has its own. */
function rowsOf(evaluations: readonly Evaluation[]): { model: string; row: Evaluation[] }[] {
  return [...new Set(evaluations.map(({ model }) => model))].flatMap(model => {
    const own = evaluations.filter(one => one.model === model)
    const isClear = new Set(own.map(({ benchmark }) => benchmark.name)).size === own.length
    if (isClear) return [{ model, row: own }]
    return own.map(one => ({ model: `${model} (${basename(resolve(one.folder))})`, row: [one] }))
  })
}

function gapsOf({ benchmark, done, expected }: Evaluation): string[] {
  return [
    ...(done < expected ? [`incomplete: ${done} of ${expected} questions`] : []),
    ...(benchmark.shards > 1 ? [`shard ${benchmark.shard} of ${benchmark.shards} alone`] : []),
  ]
}

/** Fields of which two recipes say different things; what a model alone has is no difference from a rehearsal without one. */
function differencesFrom(first: Recipe, other: Recipe, aside: readonly string[]): string[] {
  const fields = [...new Set([...Object.keys(first), ...Object.keys(other)])].sort()
  const text = (value: unknown) =>
    value === undefined ? 'not stated' : typeof value === 'string' ? value || 'empty' : JSON.stringify(value)
  const isComparable = (name: string) => first.answers === other.answers || (name in first && name in other)
  return fields
    .filter(name => !aside.includes(name) && isComparable(name))
    .filter(name => JSON.stringify(first[name]) !== JSON.stringify(other[name]))
    .map(name => `${name}: ${text(other[name])}, elsewhere ${text(first[name])}`)
}

export const tableFormats = ['markdown', 'latex', 'csv'] as const

export type TableFormat = (typeof tableFormats)[number]

/** The lines of a table. */
export const describeTable = (table: ResultsTable, format: TableFormat): string[] => writers[format](table)

const writers: Readonly<Record<TableFormat, (table: ResultsTable) => string[]>> = {
  markdown({ columns, rows, notes }) {
    const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
    const plain = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s/g, ' ')
    const cell = (value: Cell | null) =>
      value ? `${scoreText(value)}${value.notes.map(note => ` [${note}]`).join('')}` : '–'
    return [
      line(['model', ...columns.map(({ benchmark, average }) => plain(`${benchmark}, ${average}`))]),
      line(['---', ...columns.map(() => '---:')]),
      ...rows.map(({ model, cells }) => line([plain(model), ...cells.map(cell)])),
      '',
      `Accuracy in %, in brackets its 95 % interval${isRepeated(rows) ? '; ±: standard deviation over several answers to each question' : ''}.`,
      ...notes.map((note, i) => `[${i + 1}] ${plain(note)}`),
    ]
  },
  latex({ columns, rows, notes }) {
    const line = (cells: readonly string[]) => `${cells.join(' & ')} \\\\`
    const cell = (value: Cell | null) =>
      value ? `${scoreText(value)}${value.notes.length > 0 ? `$^{${value.notes.join(',')}}$` : ''}` : '--'
    return [
      `\\begin{tabular}{l${'r'.repeat(columns.length)}}`,
      '\\hline',
      line(['model', ...columns.map(({ benchmark, average }) => latex(`${benchmark}, ${average}`))]),
      '\\hline',
      ...rows.map(({ model, cells }) => line([latex(model), ...cells.map(cell)])),
      '\\hline',
      '\\end{tabular}',
      '% Accuracy in percent, in brackets its 95 percent interval.',
      ...notes.map((note, i) => `\\par\\noindent$^{${i + 1}}$ ${latex(note)}`),
    ]
  },
  csv({ columns, rows, notes }) {
    const head = columns.flatMap(({ benchmark }) => [
      benchmark,
      `${benchmark} low`,
      `${benchmark} high`,
      ...(isRepeated(rows) ? [`${benchmark} deviation`] : []),
      `${benchmark} notes`,
    ])
    const number = (value: number | null) => (value === null ? '' : percent(value))
    const cells = (value: Cell | null) =>
      value
        ? [
            number(value.score.mean),
            number(value.score.low),
            number(value.score.high),
            ...(isRepeated(rows) ? [number(value.deviation)] : []),
            value.notes.map(note => notes[note - 1]).join('; '),
          ]
        : ['', '', '', '', ...(isRepeated(rows) ? [''] : [])]
    return [['model', ...head], ...rows.map(row => [row.model, ...row.cells.flatMap(cells)])].map(line =>
      line.map(csvCell).join(','),
    )
  },
}

/** Whether some evaluation has several answers to each question. */
const isRepeated = (rows: ResultsTable['rows']): boolean =>
  rows.some(({ cells }) => cells.some(cell => cell !== null && cell.deviation !== null))

function scoreText({ score: { mean, low, high }, deviation }: Cell): string {
  const value = deviation === null ? percent(mean) : `${percent(mean)} ± ${percent(deviation)}`
  return low === null || high === null ? value : `${value} (${percent(low)} to ${percent(high)})`
}

/** Text in which no character commands LaTeX. */
const latex = (text: string): string =>
  text
    .replaceAll(/\s/g, ' ')
    .replace(
      /[\\{}$&#%_^~]/g,
      found =>
        ({ '\\': '\\textbackslash{}', '^': '\\textasciicircum{}', '~': '\\textasciitilde{}' })[found] ??
        `\\${found}`,
    )

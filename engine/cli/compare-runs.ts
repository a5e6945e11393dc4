// What differs between two runs: their config, what they read, and what came out.
import { resolve } from 'node:path'
import { differences } from '../graph/differences.ts'
import { show } from '../graph/problem.ts'
import { flowCommand } from '../shared/package-name.ts'
import { basisOfRun } from './basis.ts'
import { compareCourses } from './compare-course.ts'
import { type RunFacts, readFacts } from './run-facts.ts'
import { scoresOf } from './run-words.ts'

/** Facts of a manifest that say how a run was made; times, folders and results are not among them. */
const compared = [
  'graph',
  'seed',
  'set',
  'params',
  'versions',
  'git',
  'adapter',
  'resolved',
  'plugins',
] as const

/** The differences between two runs, one a line, under a heading for each kind. */
export function compareRuns(before: string, after: string): string[] {
  const [one, two] = [readFacts(before), readFacts(after)]
  if (resolve(before) === resolve(after)) return []
  return [
    ...section('config', changed(madeOf(one), madeOf(two))),
    ...section('data', changed(basisOfRun(before), basisOfRun(after))),
    ...section('scores', scores(one, two)),
    ...section('metrics', compareCourses(before, after)),
  ]
}

/** Without the texts of the graph's files, which "resolved" shows in effect. */
const madeOf = ({ manifest }: RunFacts): Record<string, unknown> =>
  Object.fromEntries(compared.map(name => [name, manifest[name]]))

function changed(before: unknown, after: unknown): string[] {
  return differences(before, after).map(({ path, before, after }) => {
    const [was, is] = [before, after].map(value => (value === undefined ? 'nothing' : show(value)))
    return `~ ${path}: was ${was}, is ${is}`
  })
}

/** The scores of evaluations, side by side. */
function scores(one: RunFacts, two: RunFacts): string[] {
  const [left, right] = [scoresOf(one.manifest), scoresOf(two.manifest)]
  const found = left.flatMap((score, i) => {
    const other = right[i]
    if (!other || score.accuracy === undefined || other.accuracy === undefined) return []
    const [was, is] = [score, other].map(
      ({ accuracy = 0, questions }) => `${(100 * accuracy).toFixed(1)} % of ${questions}`,
    )
    return [
      `${score.benchmark} ${score.score} accuracy: ${was}, ${is}`,
      `${flowCommand} compare ${score.folder} ${other.folder}   # question by question`,
    ]
  })
  return found
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [title, ...lines.map(line => `  ${line}`)]

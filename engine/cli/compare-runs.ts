// What differs between two runs: their config, what they read, and what came out.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { differences } from '../graph/differences.ts'
import { show } from '../graph/problem.ts'
import { number } from '../shared/number.ts'
import { table } from '../shared/table.ts'
import { basisOfRun } from './basis.ts'
import { type RunFacts, readFacts } from './run-facts.ts'

export const isRun = (path: string): boolean => existsSync(join(path, 'manifest.json'))

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
  return [
    ...section('config', changed(madeOf(one), madeOf(two))),
    ...section('data', changed(basisOfRun(before), basisOfRun(after))),
    ...section('metrics', metricsOf(one, two)),
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

function metricsOf(before: RunFacts, after: RunFacts): string[] {
  const names = [...new Set([...Object.keys(before.metrics), ...Object.keys(after.metrics)])]
  const cell = (value: number | undefined) => (value === undefined ? '' : number(value))
  const rows = names
    .filter(name => before.metrics[name] !== after.metrics[name])
    .map(name => {
      const [was, is] = [before.metrics[name], after.metrics[name]]
      const change = was === undefined || is === undefined ? '' : `${is > was ? '+' : ''}${number(is - was)}`
      return [name, cell(was), cell(is), change]
    })
  return rows.length === 0 ? [] : table([['', before.directory, after.directory, 'change'], ...rows])
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [title, ...lines.map(line => `  ${line}`)]

// How commands tell of a run: names as people type them, numbers as they compare them.
import { resolve } from 'node:path'
import { isObject } from '../shared/json.ts'
import { number } from '../shared/number.ts'
import { pathHere } from '../shared/path-here.ts'
import { withShippedNames } from '../shared/shipped-names.ts'
import type { RunFacts } from './run-facts.ts'

type Manifest = RunFacts['manifest']

/** A path of a run's working directory, as it is written here. */
const fromRun = (path: string, { workingDirectory }: Manifest): string =>
  pathHere(resolve(typeof workingDirectory === 'string' ? workingDirectory : '.', path))

/** The graph as a command names it: `flow:grpo.json`, or its path from here. */
export function graphOf(manifest: Manifest): string {
  const { graph } = manifest
  if (typeof graph !== 'string') return ''
  const shipped = withShippedNames(graph)
  return shipped === graph ? fromRun(graph, manifest) : shipped
}

/** The models of a run by the names of their resources; a run of an earlier flow tells its param alone. */
export function modelsOf(manifest: Manifest): [name: string, model: string][] {
  const { models, params } = manifest
  const param = isObject(params) ? params.model : undefined
  const stated = isObject(models) ? models : typeof param === 'string' ? { model: param } : {}
  return Object.entries(stated).map(([name, model]) => [name, modelHere(String(model), manifest)])
}

/** Built-in models and those of the hub are named as they are; a folder is a path. */
const modelHere = (model: string, manifest: Manifest): string =>
  /^\.{0,2}\//.test(model) ? fromRun(model, manifest) : model

/** How much is done, e.g. `3 of 80 updates`, `40 of 40 questions`. */
export function doneOf({ manifest, steps, progress }: RunFacts): string {
  const { done, total, of = 'updates' } = progress ?? { done: steps, total: plannedSteps(manifest) }
  if (done === 0 && total === undefined) return ''
  return total === undefined ? `${done} ${of}` : `${done} of ${total} ${of}`
}

function plannedSteps({ params }: Manifest): number | undefined {
  const steps = isObject(params) ? params.steps : undefined
  return typeof steps === 'number' ? steps : undefined
}

/** The number of updates whose mean is shown, since rewards and losses are noisy. */
export const lastUpdates = 10

/** The numbers for which a run was made: scores of an evaluation, or the newest rewards, or losses. */
export function resultOf({ manifest, lines, progress }: RunFacts): string {
  const scores = scoresOf(manifest)
  if (scores.length > 0)
    return `accuracy ${scores.map(({ accuracy, questions }) => share(accuracy, questions)).join(', ')}`
  const curve = ['reward', 'loss'].find(name => lines.some(line => line[name] !== undefined))
  const means = curve === undefined ? [] : [`mean ${curve} ${number(meanOfLast(lines, curve) ?? Number.NaN)}`]
  const newest: Record<string, number> = Object.assign({}, ...lines)
  const accuracies = Object.entries(newest).filter(
    ([name]) => name.endsWith('/accuracy') && !name.startsWith('rewards/'),
  )
  const asked = progress?.of === 'questions' ? progress.done : undefined
  return [...means, ...accuracies.map(([name, value]) => `${name} ${share(value, asked)}`)].join(', ')
}

const share = (value: number | undefined, of: number | undefined): string =>
  (value === undefined ? 'unknown' : `${(100 * value).toFixed(1)} %`) + (of === undefined ? '' : ` of ${of}`)

/** The mean of a metric over the last lines that have it. */
export function meanOfLast(lines: RunFacts['lines'], name: string): number | undefined {
  const values = lines.flatMap(line => line[name] ?? []).slice(-lastUpdates)
  return values.length === 0 ? undefined : values.reduce((sum, one) => sum + one, 0) / values.length
}

/** What an evaluation reported: for each folder of results its headline. */
export interface RunScore {
  readonly folder: string
  readonly benchmark: string
  readonly score: string | undefined
  readonly accuracy: number | undefined
  readonly low: number | undefined
  readonly high: number | undefined
  readonly questions: number | undefined
}

export function scoresOf(manifest: Manifest): RunScore[] {
  const { evaluation } = manifest
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  const count = (value: unknown) => (typeof value === 'number' ? value : undefined)
  return (Array.isArray(evaluation) ? evaluation : []).filter(isObject).map(one => ({
    folder: fromRun(text(one.folder) ?? '', manifest),
    benchmark: text(one.benchmark) ?? '',
    score: text(one.score),
    accuracy: count(one.accuracy),
    low: count(one.low),
    high: count(one.high),
    questions: count(one.questions),
  }))
}

/** Date and time of the start, by the clock of this machine. */
export function startOf({ started }: Manifest): string {
  const time = new Date(typeof started === 'string' ? started : '')
  if (Number.isNaN(time.getTime())) return ''
  const two = (part: number) => String(part).padStart(2, '0')
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`
}

/** The command that makes the run anew, for a shell. */
export function commandOf(manifest: Manifest): string {
  const { set, seed } = manifest
  const settings = (Array.isArray(set) ? set : []).map(one => `--set ${quoted(String(one))}`)
  const seeded = typeof seed === 'number' && seed !== 0 ? [`--seed ${seed}`] : []
  return ['run', quoted(graphOf(manifest)), ...settings, ...seeded].join(' ')
}

const quoted = (text: string): string =>
  /^[\w./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

// How the metrics of two runs compare over their course: where they part, how good they became, and how long they took.
import { number } from '../shared/number.ts'
import { table } from '../shared/table.ts'
import { duration } from './progress.ts'
import { metricsOf } from './run-facts.ts'
import { lastUpdates, meanOfLast } from './run-words.ts'

type Line = Readonly<Record<string, number>>

interface Course {
  readonly name: string
  /** By step; a line without one has its number. */
  readonly steps: ReadonlyMap<number, Line>
  readonly last: number
  readonly seconds: number
}

/** Says how long something took, which no two runs have alike. */
const isTime = (name: string): boolean => /(^|_)seconds$|_per_second$/.test(name)

/** The metrics of two runs, one line each; empty where neither has any. */
export function compareCourses(before: string, after: string): string[] {
  const [one, two] = [courseOf(before), courseOf(after)]
  if (one.steps.size === 0 && two.steps.size === 0) return []
  const parting = partingOf(one, two)
  if (parting === undefined && one.last === two.last)
    return [`equal in all ${one.last} updates`, ...timesOf(one, two)]
  const shared = Math.min(one.last, two.last)
  return [
    parting ?? `equal up to update ${shared}`,
    ...(one.last === two.last ? [] : [`updates: ${one.last} and ${two.last}`]),
    ...bestOf(one, two),
    ...timesOf(one, two),
    ...means(one, two, shared),
  ]
}

function courseOf(name: string): Course {
  const steps = new Map<number, Line>()
  let [seconds, part, number] = [0, 0, 0]
  for (const line of metricsOf(name)) {
    number = line.step ?? number + 1
    steps.set(number, { ...steps.get(number), ...line })
    // a resumed run counts from its new start
    if ((line.seconds ?? part) < part) seconds += part
    part = line.seconds ?? part
  }
  return { name, steps, last: number, seconds: seconds + part }
}

/** The first update in which something but time differs. */
function partingOf(one: Course, two: Course): string | undefined {
  for (const [step, line] of one.steps) {
    const other = two.steps.get(step)
    if (!other) continue
    const names = [...new Set([...Object.keys(line), ...Object.keys(other)])]
    const differing = names.filter(name => !isTime(name) && line[name] !== other[name])
    if (differing.length === 0) continue
    const shown = ['reward', 'loss', ...differing].find(name => differing.includes(name)) ?? ''
    const values = [line[shown], other[shown]].map(value => (value === undefined ? 'nothing' : number(value)))
    return `they part at update ${step}: ${shown} ${values.join(' and ')}`
  }
  return undefined
}

/** The highest mean of rewards over some updates in a row, or the lowest of losses. */
function bestOf(one: Course, two: Course): string[] {
  const name = ['reward', 'loss'].find(name => [...one.steps.values()].some(line => line[name] !== undefined))
  if (name === undefined) return []
  const sign = name === 'loss' ? -1 : 1
  const counts = [one, two].map(
    ({ steps }) => [...steps.values()].filter(line => line[name] !== undefined).length,
  )
  const size = Math.min(lastUpdates, ...counts)
  const told = [one, two].map(({ steps }) => {
    const rows = [...steps].flatMap(([step, line]) =>
      line[name] === undefined ? [] : [{ step, value: line[name] }],
    )
    const windows = rows.map((row, i) => {
      const part = rows.slice(Math.max(0, i + 1 - size), i + 1)
      return { step: row.step, mean: part.reduce((sum, { value }) => sum + value, 0) / part.length }
    })
    // fewer updates make no mean that can be compared
    const whole = windows.slice(Math.max(0, size - 1))
    const [best] = whole.sort((a, b) => sign * (b.mean - a.mean))
    return best ? `${number(best.mean)} at update ${best.step}` : 'none'
  })
  return [`best mean ${name} of ${size} updates in a row: ${told.join(' and ')}`]
}

const timesOf = (one: Course, two: Course): string[] =>
  one.seconds + two.seconds === 0
    ? []
    : [`time of the updates: ${duration(one.seconds)} and ${duration(two.seconds)}`]

/** A row for each metric: its means over the last updates that both runs did. */
function means(one: Course, two: Course, shared: number): string[] {
  const until = ({ steps }: Course) => [...steps].filter(([step]) => step <= shared).map(([, line]) => line)
  const [left, right] = [until(one), until(two)]
  const names = [...new Set([...left, ...right].flatMap(line => Object.keys(line)))]
  // means over the items so far, which need no other mean
  const isRunning = !names.some(name => name === 'reward' || name === 'loss')
  const told = (lines: readonly Line[], name: string) =>
    isRunning ? lines.findLast(line => line[name] !== undefined)?.[name] : meanOfLast(lines, name)
  const cell = (value: number | undefined) => (value === undefined ? '' : number(value))
  const rows = names
    .filter(name => name !== 'step' && name !== 'seconds')
    .flatMap(name => {
      const [was, is] = [told(left, name), told(right, name)]
      if (was === is) return []
      const change = was === undefined || is === undefined ? '' : `${is > was ? '+' : ''}${number(is - was)}`
      return [[name, cell(was), cell(is), change]]
    })
  const first = Math.max(1, shared - lastUpdates + 1)
  const range = isRunning ? `after ${shared} items` : `mean of updates ${first} to ${shared}`
  return rows.length === 0 ? [] : table([[range, one.name, two.name, 'change'], ...rows])
}

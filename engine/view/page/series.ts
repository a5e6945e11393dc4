import { colourOf } from './colours.ts'
import { numberIn, type RunData } from './store.ts'

/** One number over the updates, a line for each run. */
export interface Curve {
  name: string
  lines: Line[]
  moves: boolean
}

export interface Line {
  run: string
  colour: string
  steps: number[]
  values: number[]
}

/** These come first, in this order; the others follow by name. */
const first = [
  'reward',
  'rewards/',
  'eval/',
  'loss',
  'kl',
  'entropy',
  'grad_norm',
  'completion_length',
  'tokens_per_second',
]

const rank = (name: string): number => {
  const place = first.findIndex(start => name === start || (start.endsWith('/') && name.startsWith(start)))
  return place < 0 ? first.length : place
}

interface Known {
  count: number
  lines: Map<string, Line>
}

const known = new WeakMap<object, Known>()

export function curvesOf(runs: readonly RunData[]): Curve[] {
  const curves = new Map<string, Line[]>()
  runs.forEach((run, index) => {
    for (const [name, line] of linesOf(run)) {
      line.colour = colourOf(index)
      curves.set(name, [...(curves.get(name) ?? []), line])
    }
  })
  return [...curves]
    .map(([name, lines]) => ({
      name,
      lines,
      moves: lines.some(({ values }) => values.some(v => v !== values[0])),
    }))
    .sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name))
}

/** The numbers of a run, of which only the new ones are read. */
function linesOf({ id, streams }: RunData): Map<string, Line> {
  const entries = streams.get('metrics') ?? []
  const before: Known = known.get(entries) ?? { count: 0, lines: new Map() }
  for (let i = before.count; i < entries.length; i++) {
    const entry = entries[i] ?? {}
    const step = numberIn(entry, 'step') ?? i + 1
    for (const name of Object.keys(entry)) {
      const value = name === 'step' ? undefined : numberIn(entry, name)
      if (value === undefined) continue
      const line = before.lines.get(name) ?? { run: id, colour: '', steps: [], values: [] }
      before.lines.set(name, line)
      line.steps.push(step)
      line.values.push(value)
    }
  }
  known.set(entries, { count: entries.length, lines: before.lines })
  return before.lines
}

/** Mean over a window, a share of the whole, centred. */
export function smoothed(values: readonly number[], share: number): number[] {
  const half = Math.round((values.length * share) / 2)
  if (half < 1) return [...values]
  const sums = new Float64Array(values.length + 1)
  values.forEach((value, i) => {
    sums[i + 1] = (sums[i] ?? 0) + value
  })
  return values.map((_, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(values.length, i + half + 1)]
    return ((sums[to] ?? 0) - (sums[from] ?? 0)) / (to - from)
  })
}

import type { LogLevel, Progress } from '../operator.ts'
import type { Status } from '../run/record/status.ts'
import type { RunEvent } from '../run/summary.ts'
import { number, sparkline } from '../shared/number.ts'
import { visible } from '../shared/visible.ts'

/** Where progress is shown. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Shows the progress of a run: one line that is rewritten on a terminal, a line every few seconds elsewhere. */
export interface ProgressLine {
  event(event: RunEvent): void
  /** From now on the line says how many items are still on their way; `open` of them now. */
  stopping(open: number): void
  /** Ends the line that is being rewritten, so that other text can follow. */
  end(): void
  /** What was done, e.g. `3 steps` or `40 questions`; '' for nothing that is counted. */
  readonly done: string
  /** The rewards of all updates, or else their losses, as a line of characters; '' before the second update. */
  readonly curve: string
}

export function progressLine(
  screen: Screen,
  { level = 'info', now = () => performance.now(), isMidLine = () => false }: ProgressOptions = {},
): ProgressLine {
  const told = account(now)
  let line = ''
  let shownAt = Number.NEGATIVE_INFINITY
  /** The newest line has not been shown. */
  let isBehind = false
  let open = false
  const clear = () => {
    if (open) screen.write('\r\x1b[2K')
    open = false
  }
  const show = () => {
    clear()
    if (!screen.isTTY) screen.write(`${line}\n`)
    else screen.write(line.slice(0, (screen.columns ?? 80) - 1))
    open = screen.isTTY === true
    isBehind = false
    shownAt = now()
  }
  /** Elsewhere than on a terminal a line waits until the last one is a few seconds old. */
  const showInTime = () => {
    const text = visible(told.line())
    if (text === '' || text === line) return
    line = text
    if (!isMidLine() && (screen.isTTY || now() - shownAt >= quietMs)) show()
    else isBehind = true
  }
  return {
    get done() {
      return told.done()
    },
    get curve() {
      return told.curve()
    },
    event: event => {
      if (event.type === 'log') {
        if (logLevels.indexOf(event.level) < logLevels.indexOf(level)) return
        clear()
        if (isMidLine()) screen.write('\n')
        screen.write(`${event.level === 'info' ? '' : `${event.level}: `}${visible(event.message)}\n`)
      } else if (told.event(event)) showInTime()
    },
    stopping: count => {
      told.stopping(count)
      showInTime()
    },
    end: () => {
      if (isBehind) show()
      if (open) screen.write('\n')
      open = false
    },
  }
}

export interface ProgressOptions {
  /** Lines of the log below this level are not shown. */
  level?: LogLevel
  now?: () => number
  /** Whether a node has printed a part of a line, e.g. of an answer: only the log may tear it. */
  isMidLine?: () => boolean
}

/** From the lowest to the highest. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[]

/** Time between two lines where the output is no terminal. */
const quietMs = 5_000

/** Keeps what the events of a run say of its progress, and words it. */
function account(now: () => number) {
  let state: Progress | undefined
  let steps = 0
  let entry: Readonly<Record<string, unknown>> = {}
  let nodes = ''
  let left: number | undefined
  const history = new Map<string, number[]>()
  const clock = pace(now)
  const counted = () => {
    if (state?.of !== undefined) return `${state.done} of ${state.total ?? '?'} ${state.of}`
    if (steps > 0) return `step ${steps}${state?.total === undefined ? '' : `/${state.total}`}`
    return ''
  }
  const takeMetrics = (metrics: Readonly<Record<string, unknown>>) => {
    entry = metrics
    steps = numberIn(entry, 'step') ?? steps + 1
    for (const key of curved) {
      const value = numberIn(entry, key)
      if (value === undefined) continue
      const values = history.get(key) ?? []
      values.push(value)
      history.set(key, values)
    }
    if (state?.of === undefined) clock.done(steps)
  }
  return {
    /** Returns whether there is more to show. */
    event(event: RunEvent): boolean {
      if (event.type === 'progress') {
        state = event.state
        if (state.of === undefined) return false // the metrics of the update follow
        clock.done(state.done)
      } else if (event.type === 'acknowledged') {
        if (left === undefined) return false
        left = event.open
      } else if (event.type === 'status') nodes = countsOf(event.status)
      else if (event.type === 'record' && event.stream === 'metrics') takeMetrics(event.entry)
      else return false
      return true
    },
    stopping(open: number): void {
      left = open
    },
    line(): string {
      const before = counted()
      const seconds = state?.total === undefined ? undefined : clock.left(state.total)
      const pieces = [
        before || nodes,
        ...numbersOf(entry, state?.of === undefined ? undefined : state.done),
        seconds === undefined || left !== undefined ? '' : `ETA ${duration(seconds)}`,
        left === undefined || left === 0 ? '' : `stopping: ${left} ${left === 1 ? 'item' : 'items'} to go`,
      ]
      return pieces.filter(piece => piece !== '').join('  ')
    },
    done(): string {
      if (state?.of !== undefined) return `${state.done} ${state.of}`
      return steps === 0 ? '' : `${steps} ${steps === 1 ? 'step' : 'steps'}`
    },
    curve(): string {
      const key = curved.find(key => (history.get(key)?.length ?? 0) > 1)
      const values = key === undefined ? [] : (history.get(key) ?? [])
      const [first, last] = [values[0], values.at(-1)]
      if (first === undefined || last === undefined) return ''
      return `${key} ${number(first)} ${sparkline(values)} ${number(last)}`
    },
  }
}

/** The time that the rest will take. It counts from the end of the first, which includes compilation. */
function pace(now: () => number) {
  let first: { done: number; at: number } | undefined
  let last: { done: number; at: number } | undefined
  return {
    done(done: number): void {
      if (done === 0) return
      last = { done, at: now() }
      first ??= last
    },
    left(total: number): number | undefined {
      if (!first || !last || last.done === first.done || last.done >= total) return undefined
      return ((last.at - first.at) / 1000 / (last.done - first.done)) * (total - last.done)
    },
  }
}

/** Items that each node was given so far, in the order of the graph. */
const countsOf = ({ nodes }: Status): string =>
  nodes
    .filter(({ items }) => items > 0)
    .map(({ name, items }) => `${name} ${items}`)
    .join('  ')

/** At the end of a run the first of these that it has is drawn. */
const curved = ['reward', 'loss'] as const

/** Metrics on the line: key, label, digits after the point. */
const shown = [
  ['reward', 'reward', 3],
  ['loss', 'loss', 4],
  ['tokens_per_second', 'tokens/s', 0],
] as const

/**
 * The metrics on the line; of means of rewards, which have a name before them, the accuracy. `done`: how many items the line says are
 * done. A mean is told before its last item is done, so it may be of more: then its own number stands beside it.
 */
function numbersOf(entry: Readonly<Record<string, unknown>>, done: number | undefined): string[] {
  const accuracies = Object.keys(entry).filter(
    key => key.endsWith('/accuracy') && !key.startsWith('rewards/'),
  )
  const count = numberIn(entry, 'step')
  const of = done === undefined || count === undefined || count === done ? '' : ` of ${count}`
  const all = [
    ...shown.map(one => [...one, ''] as const),
    ...accuracies.map(key => [key, key, 3, of] as const),
  ]
  return all.flatMap(([key, label, digits, of]) => {
    const value = numberIn(entry, key)
    return value === undefined ? [] : [`${label} ${format(value, digits)}${of}`]
  })
}

function numberIn(entry: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = entry[key]
  return typeof value === 'number' ? value : undefined
}

/** Small numbers as powers of ten, so that a loss of 1e-8 does not read as 0. */
function format(value: number, digits: number): string {
  if (value !== 0 && Math.abs(value) < 10 ** -digits) return value.toExponential(1)
  return value.toFixed(digits)
}

/** Seconds as `42s`, `3m05s` or `2h07m`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole}s`
  const two = (n: number) => String(n).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`
}

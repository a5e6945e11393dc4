import type { LogLevel } from '../operator.ts'
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
  /** Ends the line that is being rewritten, so that other text can follow. */
  end(): void
  /** Updates seen: the last `step` of the metrics, or their number. */
  readonly steps: number
  /** The rewards of all updates, or else their losses, as a line of characters; '' before the second update. */
  readonly curve: string
}

export function progressLine(
  screen: Screen,
  { level = 'info', now = () => performance.now(), isMidLine = () => false }: ProgressOptions = {},
): ProgressLine {
  let steps = 0
  /** The newest update, or before the first one the items per second of each node. */
  let update = ''
  let rates = ''
  let shownAt = Number.NEGATIVE_INFINITY
  /** The newest update has not been shown. */
  let isBehind = false
  const statuses: Status[] = []
  let total: number | undefined
  let open = false
  let first: { step: number; at: number } | undefined
  const clear = () => {
    if (open) screen.write('\r\x1b[2K')
    open = false
  }
  const show = () => {
    clear()
    const line = visible(update || rates)
    if (!screen.isTTY) screen.write(`${line}\n`)
    else screen.write(line.slice(0, (screen.columns ?? 80) - 1))
    open = screen.isTTY === true
    isBehind = false
    shownAt = now()
  }
  /** Elsewhere than on a terminal a line waits until the last one is a few seconds old. */
  const showInTime = () => {
    if (!isMidLine() && (screen.isTTY || now() - shownAt >= quietMs)) show()
    else isBehind = true
  }
  const history = new Map<string, number[]>()
  const metrics = (entry: Readonly<Record<string, unknown>>) => {
    steps = numberIn(entry, 'step') ?? steps + 1
    for (const key of curved) {
      const value = numberIn(entry, key)
      if (value !== undefined) appendTo(history, key, value)
    }
    // the first update includes compilation, so the pace counts from its end
    first ??= { step: steps, at: now() }
    const done = steps - first.step
    const pace = done > 0 ? (now() - first.at) / 1000 / done : undefined
    const left = total === undefined || pace === undefined ? undefined : pace * Math.max(0, total - steps)
    const pieces = [
      `step ${steps}${total === undefined ? '' : `/${total}`}`,
      ...shown.flatMap(([key, label, digits]) => {
        const value = numberIn(entry, key)
        return value === undefined ? [] : [`${label} ${format(value, digits)}`]
      }),
      ...(left === undefined ? [] : [`ETA ${duration(left)}`]),
    ]
    update = pieces.join('  ')
    showInTime()
  }
  return {
    get steps() {
      return steps
    },
    get curve() {
      const key = curved.find(key => (history.get(key)?.length ?? 0) > 1)
      const values = key === undefined ? [] : (history.get(key) ?? [])
      const [first, last] = [values[0], values.at(-1)]
      if (first === undefined || last === undefined) return ''
      return `${key} ${number(first)} ${sparkline(values)} ${number(last)}`
    },
    event: event => {
      if (event.type === 'progress') total = event.state.total ?? total
      else if (event.type === 'log') {
        if (logLevels.indexOf(event.level) < logLevels.indexOf(level)) return
        clear()
        if (isMidLine()) screen.write('\n')
        screen.write(`${event.level === 'info' ? '' : `${event.level}: `}${visible(event.message)}\n`)
      } else if (event.type === 'status') {
        statuses.push(event.status)
        rates = ratesOver(statuses)
        if (statuses.length > ratesWindow) statuses.shift()
        if (update === '') showInTime()
      } else if (event.type === 'record' && event.stream === 'metrics') metrics(event.entry)
    },
    end: () => {
      if (isBehind && update !== '') show()
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

/** Rates are means over this many statuses, one each second: work of several seconds an item must not read as 0. */
const ratesWindow = 20

/** Items per second of each node that has handled any; the busiest first, as it sets the pace. */
function ratesOver(statuses: readonly Status[]): string {
  const now = statuses.at(-1)
  if (!now) return ''
  const before = statuses.length > ratesWindow ? statuses[0] : undefined
  const seconds = now.seconds - (before?.seconds ?? 0)
  return now.nodes
    .map((node, i) => ({ ...node, rate: (node.items - (before?.nodes[i]?.items ?? 0)) / seconds }))
    .filter(({ items }) => items > 0)
    .sort((a, b) => b.working - a.working)
    .map(({ name, rate }) => `${name} ${number(rate)}/s`)
    .join('  ')
}

/** At the end of a run the first of these that it has is drawn. */
const curved = ['reward', 'loss'] as const

/** Metrics on the line: key, label, digits after the point. */
const shown = [
  ['reward', 'reward', 3],
  ['loss', 'loss', 4],
  ['tokens_per_second', 'tokens/s', 0],
] as const

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

function appendTo(lists: Map<string, number[]>, key: string, value: number): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}

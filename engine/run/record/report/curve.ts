import { escapeMarkup } from './graph-drawing.ts'

/** A metric over the steps of a run. */
export interface Series {
  name: string
  points: readonly { step: number; value: number }[]
}

const width = 340
const height = 150
const plot = { left: 60, right: 6, top: 10, bottom: 18 }
const mostPoints = 400

/** A figure with two curves: thin as measured, thick as a moving mean. */
export function drawCurve({ name, points }: Series): string {
  const steps = points.map(({ step }) => step)
  const values = points.map(({ value }) => value)
  const [firstStep, lastStep] = [Math.min(...thin(steps)), Math.max(...thin(steps))]
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))]
  const x = (step: number) =>
    plot.left + ((step - firstStep) / Math.max(lastStep - firstStep, 1)) * (width - plot.left - plot.right)
  const y = (value: number) =>
    height - plot.bottom - ((value - low) / (high - low || 1)) * (height - plot.top - plot.bottom)
  const line = (list: readonly number[]) =>
    thin(list.map((value, i) => ({ step: steps[i] ?? firstStep, value })))
      .map(({ step, value }) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`)
      .join(' ')
  const [first, last] = [values[0], values.at(-1)].map(value => (value === undefined ? '' : number(value)))
  const smooth = points.length >= 12 ? smoothed(values) : undefined
  return [
    `<figure><figcaption><span>${escapeMarkup(name)}</span><b>${last}</b></figcaption>`,
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeMarkup(`${name}, ${first} to ${last}`)}">`,
    `<path class="axis" d="M${plot.left} ${height - plot.bottom}H${width - plot.right}"/>`,
    `<polyline class="${smooth ? 'raw' : 'curve'}" points="${line(values)}"/>`,
    smooth ? `<polyline class="curve" points="${line(smooth)}"/>` : '',
    `<text class="end" x="${plot.left - 6}" y="${plot.top + 4}">${number(high)}</text>`,
    `<text class="end" x="${plot.left - 6}" y="${height - plot.bottom}">${number(low)}</text>`,
    `<text x="${plot.left}" y="${height - 4}">${firstStep}</text>`,
    `<text class="end" x="${width - plot.right}" y="${height - 4}">${lastStep}</text>`,
    '</svg></figure>',
  ].join('')
}

/** Mean over a window of a tenth of the run, centred. */
function smoothed(values: readonly number[]): number[] {
  const half = Math.max(1, Math.round(values.length / 20))
  const sums = new Float64Array(values.length + 1)
  values.forEach((value, i) => {
    sums[i + 1] = (sums[i] ?? 0) + value
  })
  return values.map((_, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(values.length, i + half + 1)]
    return ((sums[to] ?? 0) - (sums[from] ?? 0)) / (to - from)
  })
}

/** Evenly spaced elements, the first and the last among them. */
function thin<T>(list: readonly T[]): T[] {
  if (list.length <= mostPoints) return [...list]
  const chosen = new Set(
    Array.from({ length: mostPoints }, (_, i) => Math.round((i * (list.length - 1)) / (mostPoints - 1))),
  )
  return list.filter((_, i) => chosen.has(i))
}

/** A number in at most four significant digits. */
export const number = (value: number): string => {
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value)
  const size = Math.abs(value)
  return size < 1e-3 || size >= 1e6 ? value.toExponential(2) : String(Number(value.toPrecision(4)))
}

/** The curve as a line of characters, for a terminal. */
export function sparkline(values: readonly number[], width = 40): string {
  if (values.length === 0) return ''
  const cells = Array.from(
    { length: Math.min(width, values.length) },
    (_, i, { length } = { length: Math.min(width, values.length) }) => {
      const part = values.slice(
        Math.floor((i * values.length) / length),
        Math.floor(((i + 1) * values.length) / length),
      )
      return part.reduce((sum, value) => sum + value, 0) / part.length
    },
  )
  const [low, high] = [Math.min(...cells), Math.max(...cells)]
  return cells.map(value => bars[high === low ? 3 : Math.round(((value - low) / (high - low)) * 7)]).join('')
}

const bars = '▁▂▃▄▅▆▇█'

import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { number } from '../../shared/number.ts'
import { type Curve, smoothed } from './series.ts'

const height = 170
/** Fewer points are drawn as they are. */
const fewestSmoothed = 12

/** One curve: thin as measured, thick smoothed. It is drawn only while it is in view. */
export function Chart({ curve, smoothing }: { curve: Curve; smoothing: number }) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const [dark, setDark] = useState(isDark())
  const [visible, setVisible] = useState(false)
  const { lines } = curve
  const shape = `${lines.map(({ run, colour }) => run + colour).join()} ${dark} ${isSmoothed(curve, smoothing)}`
  const points = lines.reduce((sum, { values }) => sum + values.length, 0)
  useEffect(() => watchScheme(setDark), [])
  useEffect(() => (box.current ? watchView(box.current, setVisible) : undefined), [])
  useEffect(() => {
    const element = box.current
    if (!element || !visible) return
    const made = new uPlot(
      optionsOf(curve, smoothing, element.clientWidth),
      dataOf(curve, smoothing),
      element,
    )
    plot.current = made
    const resize = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    resize.observe(element)
    return () => {
      resize.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape, visible])
  useEffect(() => {
    if (plot.current) update(plot.current, curve, smoothing)
  }, [points, smoothing])
  return (
    <figure data-curve={curve.name}>
      <figcaption>
        <span>{curve.name}</span>
        {lines.map(({ run, colour, values }) => (
          <b key={run} style={{ color: lines.length > 1 ? colour : '' }}>
            {number(values.at(-1) ?? Number.NaN)}
          </b>
        ))}
      </figcaption>
      <div class="plot" ref={box} data-points={points} role="img" aria-label={describe(curve)} />
    </figure>
  )
}

const describe = ({ name, lines }: Curve): string =>
  `${name}: ${lines.map(({ values }) => `${number(values[0] ?? Number.NaN)} to ${number(values.at(-1) ?? Number.NaN)}`).join('; ')}`

const isSmoothed = ({ lines }: Curve, smoothing: number): boolean =>
  smoothing > 0 && lines.some(({ values }) => values.length >= fewestSmoothed)

/** Plots of which a reader has zoomed to a part. */
const zoomed = new WeakSet<uPlot>()

/** New data keeps the part that a reader has zoomed to. */
const update = (plot: uPlot, curve: Curve, smoothing: number): void =>
  plot.setData(dataOf(curve, smoothing), !zoomed.has(plot))

/** Asked when the steps that a plot shows have changed, for only then do they belong to its data. */
function noteZoom(plot: uPlot, scale: string): void {
  if (scale !== 'x') return
  const { min, max } = plot.scales.x ?? {}
  const [steps] = plot.data
  // around a single point the plot leaves room on both sides
  const [first = 0, last = 0] = [steps?.[0], steps?.at(-1)]
  if ((min ?? first) > first || (max ?? last) < last) zoomed.add(plot)
  else zoomed.delete(plot)
  plot.root.dataset.until = String(max)
}

function dataOf(curve: Curve, smoothing: number): uPlot.AlignedData {
  const both = isSmoothed(curve, smoothing)
  const tables = curve.lines.map(({ steps, values }): uPlot.AlignedData => {
    return both ? [steps, values, smoothed(values, smoothing)] : [steps, values]
  })
  const [only] = tables
  return tables.length === 1 && only ? only : uPlot.join(tables)
}

function optionsOf(curve: Curve, smoothing: number, width: number): uPlot.Options {
  const style = getComputedStyle(document.body)
  const [soft, line] = ['--soft', '--line'].map(name => style.getPropertyValue(name))
  const both = isSmoothed(curve, smoothing)
  const axis: uPlot.Axis = {
    ...(soft && { stroke: soft }),
    grid: { ...(line && { stroke: line }), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
    values: (_, ticks) => ticks.map(tick => number(tick)),
  }
  const series = curve.lines.flatMap(({ colour }): uPlot.Series[] => {
    const raw: uPlot.Series = {
      stroke: both ? `${colour}55` : colour,
      width: both ? 1 : 2,
      points: { show: false },
    }
    return both ? [raw, { stroke: colour, width: 2, points: { show: false }, spanGaps: true }] : [raw]
  })
  return {
    width,
    height,
    series: [{}, ...series.map(one => ({ spanGaps: true, ...one }))],
    axes: [
      { ...axis, size: 24, incrs: wholeSteps, values: marksOf },
      { ...axis, size: 52 },
    ],
    scales: { x: { time: false } },
    legend: { show: false },
    cursor: { sync: { key: 'curves' }, points: { size: 5 } },
    hooks: { setScale: [noteZoom] },
  }
}

/** The marks of the axis of updates, which the drawing also states as text. */
function marksOf(plot: uPlot, ticks: number[]): string[] {
  const marks = ticks.map(tick => number(tick))
  plot.root.dataset.marks = marks.join(' ')
  return marks
}

/** Distances between the marks of an axis of whole numbers. */
const wholeSteps = Array.from({ length: 10 }, (_, i) => [1, 2, 5].map(digit => digit * 10 ** i)).flat()

const scheme = matchMedia('(prefers-color-scheme: dark)')
const isDark = (): boolean => scheme.matches

function watchScheme(onChange: (dark: boolean) => void): () => void {
  const listener = () => onChange(isDark())
  scheme.addEventListener('change', listener)
  return () => scheme.removeEventListener('change', listener)
}

function watchView(element: Element, onChange: (visible: boolean) => void): () => void {
  const watch = new IntersectionObserver(([entry]) => onChange(entry?.isIntersecting ?? false), {
    rootMargin: '200px',
  })
  watch.observe(element)
  return () => watch.disconnect()
}

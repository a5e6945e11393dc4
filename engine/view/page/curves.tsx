import { useState } from 'preact/hooks'
import { number } from '../../shared/number.ts'
import type { Shown } from './app.tsx'
import { Chart } from './chart.tsx'
import { type Curve, curvesOf } from './series.ts'
import type { RunData } from './store.ts'

/** Every number that a run measures, over its updates; curves of several runs lie over each other. */
export function Curves({ store }: Shown) {
  const [smoothing, setSmoothing] = useState(0.1)
  const [search, setSearch] = useState('')
  const runs = [...store.runs.values()]
  return (
    <>
      <p class="filters">
        <label class="soft">
          Smooth{' '}
          <input
            type="range"
            min="0"
            max="0.5"
            step="0.02"
            value={smoothing}
            onInput={event => setSmoothing(Number(event.currentTarget.value))}
          />{' '}
          {Math.round(smoothing * 100)} % of the run
        </label>
        <input
          type="search"
          placeholder="Filter, e.g. reward"
          value={search}
          onInput={event => setSearch(event.currentTarget.value)}
          aria-label="Filter curves"
        />
        <span class="soft">Drag over a curve to zoom, double-click to see all.</span>
      </p>
      <CurveGrid runs={runs} smoothing={smoothing} search={search} />
    </>
  )
}

interface GridOptions {
  runs: readonly RunData[]
  smoothing: number
  search?: string
  /** Only these, in this order. */
  only?: readonly string[]
}

export function CurveGrid({ runs, smoothing, search = '', only }: GridOptions) {
  const curves = curvesOf(runs).filter(({ name }) => name.includes(search) && (only?.includes(name) ?? true))
  const moving = curves.filter(({ moves }) => moves)
  const still = curves.filter(({ moves }) => !moves)
  return (
    <>
      <div class="curves">
        {moving.map(curve => (
          <Chart key={curve.name} curve={curve} smoothing={smoothing} />
        ))}
      </div>
      {moving.length > 0 && (
        <p class="soft legend">
          From left to right: updates of the weights. Thin: as measured; thick: smoothed. The number above a
          curve is its newest value.
        </p>
      )}
      {!only && still.length > 0 && (
        <p class="soft constants">
          Never changed:{' '}
          {still.map(curve => (
            <code key={curve.name}>
              {curve.name} {firstOf(curve)}
            </code>
          ))}
        </p>
      )}
    </>
  )
}

const firstOf = ({ lines }: Curve): string => {
  const value = lines[0]?.values[0]
  return value === undefined ? '' : number(value)
}

import { useMemo, useState } from 'preact/hooks'
import { layOut } from '../layout.ts'
import { ArrowHead, short } from './arrow-head.tsx'
import { type Drawn, drawnGraph, prefixesOf } from './drawn-graph.ts'
import { numberIn, type RunData } from './store.ts'

/** More nodes than this are drawn with their sub-graphs folded. */
const mostOpen = 14
const width = 176
const height = 58

interface GraphOptions {
  run: RunData
  chosen: string | undefined
  onChoose: (node: string) => void
}

/** The graph with what each node does and what each edge holds. */
export function GraphPanel({ run, chosen, onChoose }: GraphOptions) {
  const names =
    run.nodes.length > 0 ? run.nodes.map(({ name }) => name) : (run.status?.nodes ?? []).map(n => n.name)
  const prefixes = prefixesOf(names)
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set())
  const folded = new Set(prefixes.filter(prefix => names.length > mostOpen !== toggled.has(prefix)))
  const graph = drawnGraph(run, folded)
  const toggle = (prefix: string) =>
    setToggled(
      before => new Set(before.has(prefix) ? [...before].filter(p => p !== prefix) : [...before, prefix]),
    )
  return (
    <>
      {prefixes.length > 0 && (
        <p class="chips">
          {prefixes.map(prefix => (
            <button
              key={prefix}
              type="button"
              onClick={() => toggle(prefix)}
              aria-expanded={!folded.has(prefix)}
            >
              {folded.has(prefix) ? '▸' : '▾'} {prefix}
            </button>
          ))}
        </p>
      )}
      <Drawing
        graph={graph}
        chosen={chosen}
        onChoose={name => (folded.has(name) ? toggle(name) : onChoose(name))}
      />
      <Legend isResumed={numberIn(run.manifest, 'secondsBefore') !== undefined} />
    </>
  )
}

function Legend({ isResumed }: { isResumed: boolean }) {
  return (
    <p class="legend soft">
      The bar of a node divides the time until its end: <i class="key works" /> it worked,{' '}
      <i class="key blocked" /> it waited for room in the next node, <i class="key waiting" /> it waited for
      items. Beside the operator: items that the node took. On an edge: items that passed, then how many wait
      and how many may (3/4). Dashed edges lead back.{isResumed && ' All of it since the run was resumed.'}
    </p>
  )
}

interface DrawingOptions {
  graph: Drawn
  chosen?: string | undefined
  onChoose: (name: string) => void
}

export function Drawing({ graph, chosen, onChoose }: DrawingOptions) {
  const { boxes, arrows } = graph
  const shape = JSON.stringify([
    boxes.map(({ name }) => name),
    arrows.map(({ from, to, feedback }) => [from, to, feedback]),
  ])
  const { places, paths, ...size } = useMemo(
    () =>
      layOut(
        boxes.map(({ name }) => ({ name, width, height })),
        arrows,
      ),
    [shape],
  )
  return (
    <div class="drawing">
      {/* biome-ignore lint/a11y/noSvgWithoutTitle: each part has a title of its own. */}
      <svg viewBox={`0 0 ${size.width} ${size.height}`} width={size.width} height={size.height}>
        <ArrowHead id="head" />
        {arrows.map((arrow, i) => (
          <path
            key={`${arrow.from} ${arrow.to} ${i}`}
            class={`arrow${arrow.feedback ? ' feedback' : ''}${arrow.waiting > 0 ? ' holds' : ''}`}
            d={paths[i]}
            marker-end="url(#head)"
          >
            <title>{arrow.title}</title>
          </path>
        ))}
        {boxes.map(box => {
          const place = places.get(box.name)
          if (!place) return null
          return (
            <Node
              key={box.name}
              box={box}
              x={place.x - width / 2}
              y={place.y - height / 2}
              chosen={box.name === chosen}
              onChoose={() => onChoose(box.name)}
            />
          )
        })}
        {arrows.map((arrow, i) => (
          <EdgeLabel
            key={`${arrow.from} ${arrow.to} ${i}`}
            path={paths[i] ?? ''}
            text={arrow.label}
            title={arrow.title}
          />
        ))}
      </svg>
    </div>
  )
}

interface NodeOptions {
  box: Drawn['boxes'][number]
  x: number
  y: number
  chosen: boolean
  onChoose: () => void
}

function Node({ box, x, y, chosen, onChoose }: NodeOptions) {
  const { name, detail, state, working, blocked, line, title, problem } = box
  const bar = width - 20
  return (
    // biome-ignore lint/a11y/useSemanticElements: a button cannot stand in a drawing.
    <g
      class={`node ${state}${chosen ? ' chosen' : ''}${problem ? ' faulty' : ''}`}
      transform={`translate(${x} ${y})`}
      tabIndex={0}
      role="button"
      aria-label={title}
      onClick={onChoose}
      onKeyDown={event => {
        if (event.key !== 'Enter' && event.key !== ' ') return
        event.preventDefault()
        onChoose()
      }}
    >
      <title>{title}</title>
      <rect width={width} height={height} rx="7" />
      <text class="name" x="10" y="19">
        {short(name.split('/').at(-1) ?? name, 22)}
      </text>
      <text class="detail" x="10" y="34">
        {short(line || detail, 28)}
      </text>
      <rect class="track" x="10" y="44" width={bar} height="5" rx="2" />
      <rect class="works" x="10" y="44" width={bar * working} height="5" />
      <rect class="blocked" x={10 + bar * working} y="44" width={bar * blocked} height="5" />
    </g>
  )
}

/** In the middle of the arrow, as far as its points tell. */
function EdgeLabel({ path, text, title }: { path: string; text: string; title: string }) {
  const points = [...path.matchAll(/(-?[\d.]+) (-?[\d.]+)/g)].map(
    ([, x, y]) => [Number(x), Number(y)] as const,
  )
  const [a, b] = [points[Math.floor((points.length - 1) / 2)], points[Math.ceil((points.length - 1) / 2)]]
  if (!a || !b || text === '') return null
  return (
    <text class="passed" x={(a[0] + b[0]) / 2 + 5} y={(a[1] + b[1]) / 2 + 3}>
      {text}
      <title>{title}</title>
    </text>
  )
}

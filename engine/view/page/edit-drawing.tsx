import { useMemo, useRef, useState } from 'preact/hooks'
import type { Found } from '../graph-editor.ts'
import { layOut, type Point } from '../layout.ts'
import { ArrowHead, short } from './arrow-head.tsx'
import { stands, type TextEdge, type TextGraph } from './graph-text.ts'

const width = 168
const height = 46

interface DrawingOptions {
  graph: TextGraph
  /** What of it stands in the file: the rest is inherited, and cannot be taken away. */
  own: TextGraph
  chosen: string | undefined
  found: readonly Found[]
  onChoose: (name: string) => void
  onConnect: (from: string, to: string) => void
  onDisconnect: (edge: TextEdge) => void
  onRemove: (name: string) => void
}

/** From the right side of one node to that of another. */
function around(from: Point, to: Point): string {
  const [x0, x1] = [from.x + width / 2, to.x + width / 2]
  const out = Math.max(x0, x1) + 90
  return `M${x0} ${from.y}C${out} ${from.y} ${out} ${to.y} ${x1} ${to.y}`
}

/** A node or the handle below it that is being dragged. */
interface Drag {
  kind: 'move' | 'connect'
  name: string
  at: Point
}

/** The graph, drawn to be changed: nodes can be moved, edges drawn from the handle below a node and taken away by a key. */
export function EditDrawing({ graph, own, chosen, found, ...on }: DrawingOptions) {
  const { nodes, edges } = graph
  const [moved, setMoved] = useState<ReadonlyMap<string, Point>>(new Map())
  const [drag, setDrag] = useState<Drag | undefined>()
  const svg = useRef<SVGSVGElement>(null)
  const shape = JSON.stringify([nodes.map(({ name }) => name), edges])
  const laid = useMemo(
    () =>
      layOut(
        nodes.map(({ name }) => ({ name, width, height })),
        edges,
      ),
    [shape],
  )
  const placeOf = (name: string): Point => moved.get(name) ?? laid.places.get(name) ?? { x: 0, y: 0 }
  const pointOf = (event: PointerEvent): Point => {
    const matrix = svg.current?.getScreenCTM()?.inverse()
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix)
    return { x, y }
  }
  const nodeAt = ({ x, y }: Point) =>
    nodes.find(({ name }) => {
      const place = placeOf(name)
      return Math.abs(place.x - x) < width / 2 && Math.abs(place.y - y) < height / 2 + 8
    })
  const begin = (event: PointerEvent, kind: Drag['kind'], name: string) => {
    event.stopPropagation()
    svg.current?.setPointerCapture(event.pointerId)
    setDrag({ kind, name, at: pointOf(event) })
  }
  const move = (event: PointerEvent) => {
    if (!drag) return
    const at = pointOf(event)
    if (drag.kind === 'move') {
      const before = placeOf(drag.name)
      const place = { x: before.x + at.x - drag.at.x, y: before.y + at.y - drag.at.y }
      setMoved(new Map(moved).set(drag.name, place))
    }
    setDrag({ ...drag, at })
  }
  const drop = (event: PointerEvent) => {
    const target = drag?.kind === 'connect' ? nodeAt(pointOf(event)) : undefined
    if (drag && target && target.name !== drag.name) on.onConnect(drag.name, target.name)
    setDrag(undefined)
  }
  const isFaulty = (start: string) =>
    found.some(({ path, level }) => level === 'error' && (path === start || path.startsWith(`${start}.`)))
  const path = (from: Point, to: Point) => {
    const half = Math.max(24, Math.abs(to.y - from.y) / 2)
    return `M${from.x} ${from.y}C${from.x} ${from.y + half} ${to.x} ${to.y - half} ${to.x} ${to.y}`
  }
  const below = (name: string) => ({ x: placeOf(name).x, y: placeOf(name).y + height / 2 })
  const above = (name: string) => ({ x: placeOf(name).x, y: placeOf(name).y - height / 2 })
  const points = nodes.map(({ name }) => placeOf(name))
  const right = Math.max(300, laid.width, ...points.map(({ x }) => x + width / 2 + 16))
  const bottom = Math.max(160, laid.height, ...points.map(({ y }) => y + height / 2 + 24))
  return (
    <div class="drawing">
      {/* biome-ignore lint/a11y/noSvgWithoutTitle: each part has a title of its own. */}
      <svg
        ref={svg}
        class="editing"
        viewBox={`0 0 ${right} ${bottom}`}
        width={right}
        height={bottom}
        onPointerMove={move}
        onPointerUp={drop}
      >
        <ArrowHead id="arrow" />
        {edges.map(edge => {
          const isOwn = own.edges.some(one => JSON.stringify(one) === JSON.stringify(edge))
          return (
            // biome-ignore lint/a11y/useSemanticElements: a button cannot stand in a drawing.
            <path
              key={`${edge.from}.${edge.fromPort} ${edge.to}.${edge.toPort}`}
              class={`arrow${edge.feedback ? ' feedback' : ''}${isFaulty(`nodes.${edge.to}.from.${edge.toPort}`) ? ' faulty' : ''}`}
              d={
                edge.feedback
                  ? around(placeOf(edge.from), placeOf(edge.to))
                  : path(below(edge.from), above(edge.to))
              }
              marker-end="url(#arrow)"
              tabIndex={0}
              role="button"
              aria-label={`Edge ${edge.from}.${edge.fromPort} to ${edge.to}.${edge.toPort}`}
              onKeyDown={event => {
                if (isOwn && ['Delete', 'Backspace'].includes(event.key)) on.onDisconnect(edge)
              }}
            >
              <title>
                {`${edge.from}.${edge.fromPort} → ${edge.to}.${edge.toPort}; ${isOwn ? 'the Delete key takes it away' : 'inherited'}`}
              </title>
            </path>
          )
        })}
        {nodes.map(({ name, operator }) => {
          const { x, y } = placeOf(name)
          const isOwn = stands(own, name)
          const state = `${isOwn ? '' : ' inherited'}${name === chosen ? ' chosen' : ''}${isFaulty(`nodes.${name}`) ? ' faulty' : ''}`
          return (
            // biome-ignore lint/a11y/useSemanticElements: a button cannot stand in a drawing.
            <g
              key={name}
              class={`node${state}`}
              transform={`translate(${x - width / 2} ${y - height / 2})`}
              tabIndex={0}
              role="button"
              aria-label={`Node ${name}`}
              onPointerDown={event => {
                on.onChoose(name)
                begin(event, 'move', name)
              }}
              onKeyDown={event => {
                if (event.key === 'Enter') on.onChoose(name)
                if (isOwn && ['Delete', 'Backspace'].includes(event.key)) on.onRemove(name)
              }}
            >
              <title>{`${name} (${operator})${isOwn ? '' : ', inherited'}; drag it, or draw an edge from the handle below it`}</title>
              <rect width={width} height={height} rx="7" />
              <text class="name" x="10" y="19">
                {short(name, 22)}
              </text>
              <text class="detail" x="10" y="35">
                {short(operator, 27)}
              </text>
              <circle
                class="handle"
                cx={width / 2}
                cy={height}
                r="7"
                onPointerDown={event => begin(event, 'connect', name)}
              />
            </g>
          )
        })}
        {drag?.kind === 'connect' && <path class="arrow holds" d={path(below(drag.name), drag.at)} />}
      </svg>
    </div>
  )
}

import dagre from '@dagrejs/dagre'

/** A box to be placed; an arrow between two boxes by their names. */
export interface Box {
  name: string
  width: number
  height: number
}

export interface Arrow {
  from: string
  to: string
  feedback: boolean
}

export interface Point {
  x: number
  y: number
}

export interface Layout {
  /** The middle of each box. */
  places: Map<string, Point>
  /** An SVG path for each arrow, in their order. */
  paths: string[]
  width: number
  height: number
}

/** Room around the drawing. */
const margin = 16

/** Places boxes from top to bottom so that arrows lead downwards and few cross; feedback arrows lead back up. */
export function layOut(boxes: readonly Box[], arrows: readonly Arrow[]): Layout {
  const graph = new dagre.graphlib.Graph({ multigraph: true })
  graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 40, edgesep: 18, marginx: margin, marginy: margin })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { name, width, height } of boxes) graph.setNode(name, { width, height })
  arrows.forEach(({ from, to, feedback }, i) => {
    if (!graph.hasNode(from) || !graph.hasNode(to) || from === to) return
    const [a, b] = feedback ? [to, from] : [from, to]
    graph.setEdge(a, b, { weight: feedback ? 0 : 1 }, String(i))
  })
  dagre.layout(graph)
  const lines = arrows.map(({ from, to, feedback }, i) => {
    const [a, b] = feedback ? [to, from] : [from, to]
    const points = graph.edge(a, b, String(i))?.points ?? []
    return feedback ? [...points].reverse() : points
  })
  const { width = 0, height = 0 } = graph.graph()
  // the library keeps room for boxes alone: arrows may lead past them at either side
  const ends = lines.flat().map(({ x }) => x)
  const left = Math.max(0, margin - Math.min(margin, ...ends))
  const right = Math.max(0, width, ...ends.map(x => x + margin))
  const moved = ({ x, y }: Point): Point => ({ x: x + left, y })
  return {
    places: new Map(boxes.map(({ name }) => [name, moved(pointOf(graph.node(name)))])),
    paths: lines.map(points => smooth(points.map(moved))),
    width: right + left,
    height: Math.max(0, height),
  }
}

const pointOf = ({ x = 0, y = 0 }: Partial<Point> = {}): Point => ({ x, y })

/** A curve through the middles between points, from the first point to the last. */
function smooth(points: readonly Point[]): string {
  const [first, ...rest] = points
  const last = rest.at(-1)
  if (!first || !last) return ''
  const turns = rest.slice(0, -1).map((point, i) => {
    const next = rest[i + 1] ?? last
    const end = i === rest.length - 2 ? last : { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 }
    return `Q${round(point.x)} ${round(point.y)} ${round(end.x)} ${round(end.y)}`
  })
  const straight = turns.length === 0 ? `L${round(last.x)} ${round(last.y)}` : ''
  return `M${round(first.x)} ${round(first.y)}${turns.join('')}${straight}`
}

const round = (value: number): number => Math.round(value * 10) / 10

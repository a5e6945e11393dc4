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

/** Places boxes from top to bottom so that arrows lead downwards and few cross; feedback arrows lead back up. */
export function layOut(boxes: readonly Box[], arrows: readonly Arrow[]): Layout {
  const graph = new dagre.graphlib.Graph({ multigraph: true })
  graph.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 40, edgesep: 18, marginx: 16, marginy: 16 })
  graph.setDefaultEdgeLabel(() => ({}))
  for (const { name, width, height } of boxes) graph.setNode(name, { width, height })
  arrows.forEach(({ from, to, feedback }, i) => {
    if (!graph.hasNode(from) || !graph.hasNode(to) || from === to) return
    const [a, b] = feedback ? [to, from] : [from, to]
    graph.setEdge(a, b, { weight: feedback ? 0 : 1 }, String(i))
  })
  dagre.layout(graph)
  const places = new Map(boxes.map(({ name }) => [name, pointOf(graph.node(name))]))
  const paths = arrows.map(({ from, to, feedback }, i) => {
    const [a, b] = feedback ? [to, from] : [from, to]
    const points = graph.edge(a, b, String(i))?.points ?? []
    return smooth(feedback ? [...points].reverse() : points)
  })
  const { width = 0, height = 0 } = graph.graph()
  return { places, paths, width: Math.max(0, width), height: Math.max(0, height) }
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

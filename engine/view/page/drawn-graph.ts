import type { EdgeStatus, NodeStatus } from '../../run/record/status.ts'
import { showBytes } from '../../shared/bytes.ts'
import { number } from '../../shared/number.ts'
import type { RunData } from './store.ts'

/** A graph as it is drawn, folded sub-graphs as one box each. */
export interface Drawn {
  boxes: {
    name: string
    detail: string
    state: string
    working: number
    blocked: number
    /** What it did so far, in few words. */
    line: string
    title: string
    problem?: boolean
  }[]
  arrows: { from: string; to: string; feedback: boolean; waiting: number; label: string; title: string }[]
}

/** The sub-graphs that names of nodes tell of, outermost first. */
export function prefixesOf(names: readonly string[]): string[] {
  const prefixes = names.flatMap(name => {
    const parts = name.split('/').slice(0, -1)
    return parts.map((_, i) => parts.slice(0, i + 1).join('/'))
  })
  return [...new Set(prefixes)]
}

/** The box that stands for a node: itself, or the outermost folded sub-graph around it. */
function boxOf(name: string, folded: ReadonlySet<string>): string {
  return prefixesOf([name]).find(prefix => folded.has(prefix)) ?? name
}

export function drawnGraph(run: RunData, folded: ReadonlySet<string>): Drawn {
  const { status, before, nodes } = run
  const known: { name: string; operator: string }[] =
    nodes.length > 0 ? [...nodes] : [...(status?.nodes ?? [])]
  const inside = new Map<string, typeof known>()
  for (const node of known) {
    const box = boxOf(node.name, folded)
    inside.set(box, [...(inside.get(box) ?? []), node])
  }
  const boxes = [...inside].map(([name, members]) => {
    const states = members.flatMap(member => status?.nodes.find(node => node.name === member.name) ?? [])
    const detail = folded.has(name) ? `${members.length} nodes` : (members[0]?.operator ?? '')
    return { name, detail, ...nodeState(states), title: nodeTitle(name, detail, states) }
  })
  const arrows = edgesOf(run).flatMap(edge => {
    const [from, to] = [boxOf(edge.from, folded), boxOf(edge.to, folded)]
    if (from === to) return []
    const earlier = before?.edges.find(({ name }) => name === edge.name)
    const rate = rateOf(edge, earlier, status?.seconds ?? 0, before?.seconds ?? 0, status?.ended ?? true)
    return [
      {
        from,
        to,
        feedback: edge.feedback,
        waiting: edge.size,
        label: edgeLabel(edge),
        title: edgeTitle(edge, rate),
      },
    ]
  })
  return { boxes, arrows }
}

/** Of the status; before the first one, of the nodes' inputs. */
function edgesOf({ status, nodes }: RunData): EdgeStatus[] {
  if (status) return status.edges
  return nodes.flatMap(({ name, inputs }) =>
    inputs.flatMap(({ name: port, from = [], feedback = false }) =>
      from.map((source): EdgeStatus => {
        const [node = ''] = source.split('.')
        const end = `${name}.${port}`
        const empty = { size: 0, capacity: 0, bytes: 0, passed: 0, dropped: 0 }
        return { name: `${source} → ${end}`, ...empty, from: node, to: name, end, feedback }
      }),
    ),
  )
}

function nodeState(states: readonly NodeStatus[]) {
  const mean = (of: (node: NodeStatus) => number) =>
    states.reduce((sum, node) => sum + of(node), 0) / Math.max(1, states.length)
  const first = ['working', 'blocked', 'waiting'].find(state => states.some(node => node.state === state))
  const [node] = states
  return {
    state: first ?? (node ? 'ended' : 'waiting'),
    working: mean(({ working }) => working),
    blocked: mean(({ blocked }) => blocked),
    line: node ? `${node.operator} · ${node.items}` : '',
  }
}

function nodeTitle(name: string, detail: string, states: readonly NodeStatus[]): string {
  const [node] = states
  if (states.length !== 1 || !node) return `${name}: ${detail}`
  const waits = node.blockedBy === undefined ? '' : `, mostly for ${node.blockedBy}`
  return `${name} (${detail}): ${node.state}; ${node.items} items, worked ${node.workSeconds.toFixed(1)} s; ${percent(node.working)} working, ${percent(node.blocked)} waiting for room${waits}, ${percent(node.waiting)} waiting for items`
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`

/** Items in a second: since the status before, or over the whole of a run that is over. */
function rateOf(
  edge: EdgeStatus,
  earlier: EdgeStatus | undefined,
  seconds: number,
  secondsBefore: number,
  ended: boolean,
): number {
  if (ended || !earlier) return edge.passed / Math.max(seconds, 1e-9)
  return (edge.passed - earlier.passed) / Math.max(seconds - secondsBefore, 1e-9)
}

/** A feedback edge runs beside others: what it holds is in its title. */
const edgeLabel = ({ passed, size, capacity, feedback }: EdgeStatus): string =>
  capacity === 0 || feedback ? '' : size > 0 ? `${passed} · ${size}/${capacity}` : String(passed)

const edgeTitle = (edge: EdgeStatus, rate: number): string =>
  [
    `${edge.name}: ${edge.passed} items have passed, ${number(rate)} a second`,
    `${edge.size} of ${edge.capacity} wait (${showBytes(edge.bytes)})`,
    ...(edge.dropped > 0 ? [`${edge.dropped} dropped`] : []),
  ].join('; ')

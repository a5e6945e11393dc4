import { endName, locate, type Wire } from '../flatten/flat.ts'
import type { PlannedNode } from '../plan.ts'
import type { Problem } from '../problem.ts'
import { collectedBy, mayDrop } from './losses.ts'

type Nodes = ReadonlyMap<string, PlannedNode>

/**
 * Reports cycles that wait for more items than their feedback edge lets in: with `maxLag` n, n + 1 items are in the cycle,
 * and the next one comes only after the cycle has answered. An operator that makes several items of one counts as one that
 * makes one: how many is not known.
 */
export function checkBatches(nodes: readonly PlannedNode[], problems: Problem[]): void {
  const byName = new Map(nodes.map(node => [node.name, node]))
  for (const gated of nodes) {
    for (const feedback of gated.wires) {
      const { maxLag, from } = feedback
      if (maxLag === undefined) continue
      const within = onTheWay(gated.name, from.node, nodes)
      const { items, lists } = itemsToAnswer(gated.name, from.node, within, byName)
      const [list] = lists
      if (!list || items <= maxLag + 1) continue
      const first = list.wires.find(forward)
      const named = lists.map(({ name, operatorName }) => `"${name}" (${operatorName})`).join(' and ')
      problems.push({
        code: 'batch-never-fills',
        ...locate(first?.at ?? feedback.at),
        rule: `must be fed ${items === Infinity ? 'all' : items} items before ${lists.length === 1 ? 'it emits' : 'they emit'} any, and only ${maxLag + 1} can be in the cycle (maxLag ${maxLag})${expansion(list, gated.name, nodes)}`,
        found: `${named} within the cycle ${gated.name} → … → ${endName(from)}`,
        remedy: remedyOf(lists, items, feedback.port, gated.name, maxLag),
      })
    }
  }
}

/** What is said of a node before a list that makes several items of one. */
function expansion(list: PlannedNode, gated: string, nodes: readonly PlannedNode[]): string {
  const before = onTheWay(gated, list.name, nodes)
  const expanding = nodes.find(
    ({ name, operator }) => operator.expands && name !== list.name && before.includes(name),
  )
  return expanding
    ? `; how many items "${expanding.name}" (${expanding.operatorName}) makes of one is not known, so it counts as one`
    : ''
}

function remedyOf(
  lists: readonly PlannedNode[],
  items: number,
  port: string,
  gated: string,
  maxLag: number,
): string {
  if (items === Infinity) return `take it out of the cycle, e.g. put it before "${gated}"`
  const raised = `raise maxLag of "${gated}.${port}" to ${items - 1} (--set nodes.${gated}.from.${port}.maxLag=${items - 1})`
  const [list, other] = lists
  if (!list || other) return `${raised}, or lower the sizes of the lists`
  const size = Math.max(1, Math.floor((collectedBy(list) * (maxLag + 1)) / items))
  return `${raised}, or lower the size of the batch to ${size}`
}

/**
 * How many items must be let into a cycle until it is certain to answer, and the lists that wait for them. On one way from
 * its first node to its last the sizes of lists in a row multiply. The best way counts; but where that way may drop an item,
 * the item may lie in a list beside it, and each such list may wait with one item less than it needs.
 */
function itemsToAnswer(
  start: string,
  end: string,
  within: readonly string[],
  byName: Nodes,
): { items: number; lists: readonly PlannedNode[] } {
  const inside = within.flatMap(name => byName.get(name) ?? [])
  const ordered = inOrder(start, inside)
  const lists = inside.filter(node => collectedBy(node) > 1)
  if (lists.length === 0) return { items: 1, lists }
  const most = held(ordered, start)
  const losing = inside.filter(node => collectedBy(node) === 1 && node.name !== start && mayDrop(node))
  const costOf = (way: readonly string[]) => {
    const on = lists.filter(({ name }) => way.includes(name))
    const beside = lists.filter(
      ({ name }) =>
        !way.includes(name) &&
        losing.some(loser => way.includes(loser.name) && isReached(start, name, inside, loser.name)),
    )
    const product = on.reduce((all, node) => all * collectedBy(node), 1)
    const spare = beside.reduce((all, node) => all + (collectedBy(node) - 1) * (most.get(node.name) ?? 1), 0)
    return { items: product + spare, lists: spare > 0 ? [...on, ...beside] : on.slice(-1) }
  }
  const avoided = new Set(
    losing.filter(({ name }) => lists.some(list => isReached(start, list.name, inside, name))).map(named),
  )
  const ways = [fewest(ordered, start, end, new Set()), fewest(ordered, start, end, avoided)]
  const [best, other] = ways.flatMap(way => (way ? [costOf(way)] : []))
  if (!best) return { items: 1, lists: [] }
  return other && other.items < best.items ? other : best
}

const named = ({ name }: PlannedNode): string => name

/** Nodes of a cycle, each after those that feed it. */
function inOrder(start: string, inside: readonly PlannedNode[]): PlannedNode[] {
  const open = new Map(inside.map(node => [node.name, node]))
  const ordered: PlannedNode[] = []
  for (let moved = true; moved; ) {
    moved = false
    for (const node of open.values()) {
      if (node.name !== start && node.wires.some(wire => forward(wire) && open.has(wire.from.node))) continue
      ordered.push(node)
      open.delete(node.name)
      moved = true
    }
  }
  return ordered
}

/** Items of the first node that one item at each node may stand for, at most: lists in a row multiply. */
function held(ordered: readonly PlannedNode[], start: string): Map<string, number> {
  const after = new Map<string, number>()
  const before = new Map<string, number>()
  for (const node of ordered) {
    const fed = node.wires.filter(forward).map(wire => after.get(wire.from.node) ?? 1)
    const most = node.name === start ? 1 : Math.max(1, ...fed)
    before.set(node.name, most)
    after.set(node.name, most * collectedBy(node))
  }
  return before
}

/** The way from one node to another on which the sizes of lists multiply to least, without some of the nodes. */
function fewest(
  ordered: readonly PlannedNode[],
  start: string,
  end: string,
  without: ReadonlySet<string>,
): string[] | undefined {
  const ways = new Map<string, { items: number; before: string | undefined }>()
  const names = new Set(ordered.map(named))
  for (const node of ordered) {
    if (without.has(node.name)) continue
    const size = collectedBy(node)
    if (node.name === start) {
      ways.set(start, { items: size, before: undefined })
      continue
    }
    const fed = node.wires.filter(wire => forward(wire) && names.has(wire.from.node))
    const best = inputsOf(fed, node).map(wires => {
      const known = wires.flatMap(({ from }) => ({ name: from.node, items: ways.get(from.node)?.items }))
      return known.reduce((a, b) => ((b.items ?? Infinity) < (a.items ?? Infinity) ? b : a))
    })
    if (best.length === 0) continue
    // an item that waits for its partner has gone both ways
    const longest = best.reduce((a, b) => ((b.items ?? Infinity) > (a.items ?? Infinity) ? b : a))
    if (longest.items !== undefined)
      ways.set(node.name, { items: longest.items * size, before: longest.name })
  }
  if (!ways.has(end)) return undefined
  const way: string[] = []
  for (let name: string | undefined = end; name !== undefined; name = ways.get(name)?.before) way.push(name)
  return way.reverse()
}

/** Wires of which one is enough for an item to arrive: those of each input for pairs, else all. */
function inputsOf(wires: readonly Wire[], { operator }: PlannedNode): (readonly Wire[])[] {
  if (!operator.pairs) return wires.length > 0 ? [wires] : []
  return [...new Set(wires.map(({ port }) => port))].map(port => wires.filter(wire => wire.port === port))
}

/** The cycle of a feedback edge with `maxLag`, and the items that the edge lets into it. */
export interface Loop {
  /** Names of the nodes from the one that waits to the one that answers. */
  readonly within: readonly string[]
  /** Items of the waiting node that can be within at the same time. */
  readonly items: number
}

/** The loops of a graph, without those in which an operator makes several items of one. */
export function loopsOf(nodes: readonly PlannedNode[]): Loop[] {
  const byName = new Map(nodes.map(node => [node.name, node]))
  return nodes.flatMap(gated =>
    gated.wires.flatMap(({ maxLag, from }) => {
      const within = onTheWay(gated.name, from.node, nodes)
      if (maxLag === undefined || within.some(name => byName.get(name)?.operator.expands)) return []
      return [{ within, items: maxLag + 1 }]
    }),
  )
}

/** Nodes on paths from one node to another, both included. Feedback edges are no part of a path. */
export function onTheWay(start: string, end: string, nodes: readonly PlannedNode[]): string[] {
  const after = walk(start, next(nodes))
  const before = walk(end, previous(nodes))
  return [...after].filter(name => before.has(name))
}

function isReached(start: string, end: string, nodes: readonly PlannedNode[], without: string): boolean {
  if (without === start || without === end) return false
  return walk(start, next(nodes), without).has(end)
}

/** Names of the nodes from which each node that answers on a feedback edge can be reached, without feedback edges. */
export function nodesBefore(
  nodes: readonly PlannedNode[],
  ends: ReadonlySet<string>,
): Map<string, Set<string>> {
  const steps = previous(nodes)
  return new Map([...ends].map(end => [end, walk(end, steps)]))
}

function walk(start: string, step: ReadonlyMap<string, readonly string[]>, without?: string): Set<string> {
  const seen = new Set([start])
  for (const name of seen) for (const other of step.get(name) ?? []) if (other !== without) seen.add(other)
  return seen
}

const forward = (wire: Wire) => wire.initial === undefined

function next(nodes: readonly PlannedNode[]): Map<string, string[]> {
  const map = new Map<string, string[]>(nodes.map(node => [node.name, []]))
  for (const node of nodes)
    for (const wire of node.wires.filter(forward)) map.get(wire.from.node)?.push(node.name)
  return map
}

const previous = (nodes: readonly PlannedNode[]) =>
  new Map(nodes.map(node => [node.name, node.wires.filter(forward).map(wire => wire.from.node)]))

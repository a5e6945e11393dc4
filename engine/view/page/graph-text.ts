import { applyEdits, findNodeAtLocation, type JSONPath, modify, parse, parseTree } from 'jsonc-parser'
import { isObject } from '../../shared/is-object.ts'
import { merge } from '../../shared/merge.ts'
import type { Catalogue } from '../graph-editor.ts'

/** A graph as its text says, as far as the text is JSON. */
export interface TextGraph {
  nodes: TextNode[]
  edges: TextEdge[]
}

export interface TextNode {
  name: string
  operator: string
  config: Readonly<Record<string, unknown>>
}

export interface TextEdge {
  from: string
  fromPort: string
  to: string
  toPort: string
  feedback: boolean
}

/** With `inherited`: the graph that the text extends, and the text's changes in it. */
export function graphOf(text: string, inherited?: unknown): TextGraph {
  const value = merge(inherited, parse(text))
  const nodes = Object.entries(isObject(value) && isObject(value.nodes) ? value.nodes : {}).filter(
    (pair): pair is [string, Record<string, unknown>] => isObject(pair[1]),
  )
  return {
    nodes: nodes.map(([name, { operator, graph, config }]) => {
      return { name, operator: String(operator ?? graph ?? ''), config: isObject(config) ? config : {} }
    }),
    edges: nodes.flatMap(([to, { from }]) =>
      Object.entries(isObject(from) ? from : {}).flatMap(([toPort, stated]) =>
        (Array.isArray(stated) ? stated : [stated]).flatMap((one): TextEdge[] => {
          const edge = isObject(one) ? one.edge : one
          if (typeof edge !== 'string') return []
          const dot = edge.lastIndexOf('.')
          const feedback = isObject(one) && 'initial' in one
          return [{ from: edge.slice(0, dot), fromPort: edge.slice(dot + 1), to, toPort, feedback }]
        }),
      ),
    ),
  }
}

/** Whether a graph has a node of this name. */
export const stands = ({ nodes }: TextGraph, name: string): boolean => nodes.some(node => node.name === name)

/** What the text says that it extends. */
export function extendedBy(text: string): string {
  const value: unknown = parse(text)
  return isObject(value) ? String(value.extends) : ''
}

/** The text with a value put at a path, or taken away if it is undefined; everything else stays as it was written. */
export function withValue(text: string, path: JSONPath, value: unknown): string {
  const indent = indentIn(text, path)
  const edits = modify(text, path, value, {})
  return applyEdits(
    text,
    edits.map(edit => ({ ...edit, content: edit.content && spaced(edit.content, indent) })),
  )
}

/** What stands before each key of the object that a path leads into, if they are in lines of their own. */
function indentIn(text: string, path: JSONPath): string | undefined {
  const tree = parseTree(text)
  const around = path.map((_, i) => tree && findNodeAtLocation(tree, path.slice(0, path.length - 1 - i)))
  const parent = around.find(node => node?.type === 'object')
  const [first] = parent?.children ?? []
  if (!parent || !first) return undefined
  return /\n([ \t]*)$/.exec(text.slice(parent.offset, first.offset))?.[1]
}

/** What is put in, as people write it: on a line of its own if its neighbours are, with a space after marks. */
function spaced(content: string, indent: string | undefined): string {
  const [, comma = '', key, value = content, rest = ''] =
    /^(,?)("(?:[^"\\]|\\.)*"):([\s\S]*?)(,?)$/.exec(content) ?? []
  // JSON text breaks lines between values alone
  const inLine = JSON.stringify(JSON.parse(value), null, 1).replace(/\n\s*/g, ' ')
  if (key === undefined) return inLine
  const gap = comma === '' ? '' : indent === undefined ? ' ' : `\n${indent}`
  return `${comma}${gap}${key}: ${inLine}${rest}`
}

export const withNode = (text: string, name: string, operator: string): string =>
  withValue(text, ['nodes', name], { operator })

/** Without a node and without the edges that came from it. */
export function withoutNode(text: string, name: string): string {
  const dangling = graphOf(text).edges.filter(({ from, to }) => from === name && to !== name)
  const without = dangling.reduce((before, edge) => withoutEdge(before, edge), text)
  return withValue(without, ['nodes', name], undefined)
}

export function withEdge(text: string, edge: Omit<TextEdge, 'feedback'>): string {
  return withValue(text, ['nodes', edge.to, 'from', edge.toPort], `${edge.from}.${edge.fromPort}`)
}

export const withoutEdge = (text: string, { to, toPort }: Pick<TextEdge, 'to' | 'toPort'>): string =>
  withValue(text, ['nodes', to, 'from', toPort], undefined)

/** The ports that an edge drawn between two nodes joins: of one kind, and not yet joined if there is a choice. */
export function portsBetween(
  graph: TextGraph,
  { operators }: Catalogue,
  from: string,
  to: string,
): Omit<TextEdge, 'feedback'> | undefined {
  const operatorOf = (name: string) => operators[graph.nodes.find(node => node.name === name)?.operator ?? '']
  const outputs = Object.entries(operatorOf(from)?.outputs ?? {})
  const inputs = Object.entries(operatorOf(to)?.inputs ?? {})
  const pairs = outputs.flatMap(([fromPort, kind]) =>
    inputs
      .filter(([, wanted]) => kind === wanted || kind === 'any' || wanted === 'any')
      .map(([toPort]) => ({ from, fromPort, to, toPort })),
  )
  const isFree = ({ toPort }: { toPort: string }) =>
    !graph.edges.some(edge => edge.to === to && edge.toPort === toPort)
  const [first] = outputs
  const [input] = inputs
  return (
    pairs.find(isFree) ?? pairs[0] ?? (first && input && { from, fromPort: first[0], to, toPort: input[0] })
  )
}

/** Where the value at a path stands in the text. */
export function placeOf(text: string, path: string): { offset: number; length: number } | undefined {
  const tree = parseTree(text)
  const steps = path.split('.')
  for (let count = steps.length; tree && count > 0; count--) {
    const node = findNodeAtLocation(tree, steps.slice(0, count))
    if (node) return { offset: node.offset, length: node.length }
  }
  return undefined
}

/** `name`, with a number after it if a node has it already. */
export function freshName(graph: TextGraph, operator: string): string {
  const base =
    operator
      .split('.')
      .at(-1)
      ?.replaceAll(/[^a-zA-Z0-9]/g, '') || 'node'
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}${number}`
    if (!stands(graph, name)) return name
  }
}

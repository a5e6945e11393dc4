import { isObject } from '../../shared/json.ts'
import { isReserved } from '../../shared/reserved.ts'
import { near } from '../did-you-mean.ts'
import { type Problem, show } from '../problem.ts'
import { coerce } from './coerce.ts'
import { at } from './graph-file.ts'
import { graphSchema } from './graph-schema.ts'
import type { Interpolated } from './interpolate.ts'
import type { Given } from './params.ts'
import { schemaAt } from './schema.ts'

/** Settings of `--set`: params by name, and values for paths such as `nodes.update.config.beta`. */
export interface Settings {
  readonly params: ReadonlyMap<string, Given>
  readonly paths: ReadonlyMap<string, Given>
}

const pathPattern = /^(nodes|resources|checkpoint)\./

/** Reads `key=value` texts. The last one of a key wins. */
export function readSettings(texts: readonly string[]): { settings: Settings; problems: Problem[] } {
  const params = new Map<string, Given>()
  const paths = new Map<string, Given>()
  const problems: Problem[] = []
  for (const text of texts) {
    const equals = text.indexOf('=')
    const key = text.slice(0, Math.max(equals, 0)).trim()
    const problem = { path: `--set ${text}` }
    if (key === '') {
      problems.push({ code: 'bad-set', ...problem, rule: 'must be key=value', found: show(text) })
      continue
    }
    const reserved = key.split(/[./]/).find(isReserved)
    if (reserved !== undefined) {
      const rule = 'must not use a reserved name'
      problems.push({ code: 'bad-set', ...problem, rule, found: show(reserved), remedy: 'use another name' })
      continue
    }
    const given = { value: text.slice(equals + 1), problem }
    if (pathPattern.test(key)) paths.set(key, given)
    else params.set(key, given)
  }
  return { settings: { params, paths }, problems }
}

const noNull = 'must be a value: only a graph that extends another one removes a key, with null'

/** Puts the values for paths into the graph. The graph must have all of a path but its last two steps. */
export function applyPaths(graph: Interpolated, paths: ReadonlyMap<string, Given>): void {
  for (const [key, given] of paths) {
    const path = key.split('.')
    if (isWithinSubGraph(graph.value, path)) continue
    if (given.value === 'null') {
      const remedy = 'leave it out for what the graph states, or write a value'
      graph.problems.push({ code: 'bad-set', ...given.problem, rule: noNull, found: 'null', remedy })
      continue
    }
    const rule = setIn(graph.value, path, given.value) ?? setIn(graph.shown, path, given.value)
    if (rule)
      graph.problems.push({ code: 'bad-set', ...given.problem, ...rule, ...inSubGraph(graph.value, path) })
    graph.substituted.add(key)
    graph.holes.delete(key)
    graph.secrets.delete(key)
    graph.given.set(key, given.problem)
  }
}

/**
 * A graph file's value with settings written into it: params get the new default. `typed` gives the value of a config
 * field as its operator reads it. Settings for the nodes inside a sub-graph are left out: they are in another file.
 */
export function withSettings(
  value: Record<string, unknown>,
  { params, paths }: Settings,
  typed: (path: readonly string[]) => unknown,
): Record<string, unknown> {
  const changed = structuredClone(value)
  const declared = isObject(changed.params) ? changed.params : {}
  for (const [name, given] of params) {
    const param = at(declared, name)
    if (isObject(param)) param.default = coerce(given.value, param)
  }
  for (const [key, given] of paths) {
    const path = key.split('.')
    if (!isWithinSubGraph(changed, path)) setIn(changed, path, typed(path) ?? given.value)
  }
  return changed
}

/** Settings for the nodes of the sub-graph `name`: `nodes.name/inner.config.x` is its `nodes.inner.config.x`. */
export function pathsWithin(paths: ReadonlyMap<string, Given>, name: string): Map<string, Given> {
  const inner = new Map<string, Given>()
  for (const [key, given] of paths) {
    for (const section of ['nodes', 'resources']) {
      const prefix = `${section}.${name}/`
      if (key.startsWith(prefix)) inner.set(`${section}.${key.slice(prefix.length)}`, given)
    }
  }
  return inner
}

function setIn(
  root: Record<string, unknown>,
  path: readonly string[],
  text: unknown,
): Pick<Problem, 'rule' | 'found' | 'hint' | 'nearest'> | undefined {
  let here: unknown = root
  for (const [depth, step] of path.slice(0, -1).entries()) {
    const container: Record<string, unknown> | unknown[] | undefined =
      isObject(here) || Array.isArray(here) ? here : undefined
    // a file may leave out a config or the object of an edge, and --set still reaches into it
    const mayBeMissing = depth >= 2 || step === 'checkpoint'
    if (isObject(container) && !Object.hasOwn(container, step) && mayBeMissing && depth === path.length - 2)
      container[step] = {}
    const next = at(container, Array.isArray(container) ? Number(step) : step)
    if (next === undefined) {
      const names = isObject(container) ? Object.keys(container) : []
      const rule =
        depth === 1 ? `must name one of the graph's ${path[0]}` : 'must be a path that the graph has'
      return { rule, found: show(step), ...near(step, names) }
    }
    here = next
  }
  const last = path.at(-1) ?? ''
  if (Array.isArray(here) && here[Number(last)] !== undefined)
    here[Number(last)] = coerce(text, schemaAt(graphSchema, path.map(digits)))
  else if (isObject(here)) here[last] = coerce(text, schemaAt(graphSchema, path))
  else return { rule: 'must be a path to a key of an object', found: show(path.join('.')) }
  return undefined
}

/** What may be meant by the name of a part that the graph does not have: one of its sub-graphs. */
function inSubGraph(
  { nodes }: Record<string, unknown>,
  [section = '', ...path]: readonly string[],
): Pick<Problem, 'remedy'> | undefined {
  const subs = Object.entries(isObject(nodes) ? nodes : {}).flatMap(([name, node]) =>
    isObject(node) && 'graph' in node ? [`${section}.${name}/${path.join('.')}`] : [],
  )
  if (section === 'checkpoint' || subs.length === 0) return undefined
  return { remedy: `name a part of the graph, or one of a sub-graph: ${subs.join(', ')}` }
}

/** Whether the path names a node of a sub-graph, which takes it by `pathsWithin`. */
function isWithinSubGraph(value: Record<string, unknown>, path: readonly string[]): boolean {
  const [sub, inner] = (path[1] ?? '').split('/')
  const node = isObject(value.nodes) ? value.nodes[sub ?? ''] : undefined
  return inner !== undefined && isObject(node) && 'graph' in node
}

const digits = (step: string) => (/^\d+$/.test(step) ? Number(step) : step)

import type { Fields } from '../../operator.ts'
import { near } from '../did-you-mean.ts'
import { type FlatNode, type FlatResource, type Level, locate } from '../flatten/flat.ts'
import { lookUp } from '../look-up.ts'
import type { PlannedResource, Registry } from '../plan.ts'
import { type Problem, show } from '../problem.ts'

/**
 * The resources that some node needs, in the order in which they open. Reports config fields that name no resource of the kind they ask
 * for, resources that nothing names, and resources that wait for each other.
 */
export function orderResources(
  level: Level,
  registry: Registry,
  planned: readonly PlannedResource[],
  problems: Problem[],
): PlannedResource[] {
  const named = new Set<string>()
  const needs = new Map<string, string[]>()
  for (const part of [...level.nodes, ...level.resources]) {
    if (part.broken) continue
    const fields = fieldsOf(part, registry)
    const uses = fields ? usesIn(part, fields, level, registry, problems) : []
    for (const { name } of uses) named.add(name)
    const needed = uses.filter(({ isIdle }) => !isIdle).map(({ name }) => name)
    needs.set(part.at.path[0] === 'resources' ? part.name : `node ${part.name}`, needed)
  }
  // a part that is broken or of unknown type may use any resource: then none counts as unused
  const allKnown = level.nodes.every(node => !node.broken && fieldsOf(node, registry))
  for (const { name, at, broken } of level.resources) {
    if (named.has(name) || broken || !allKnown) continue
    problems.push({
      code: 'unused-resource',
      ...locate(at, [], 'key'),
      rule: 'must be named by the config of a node or resource',
    })
  }
  const ordered: PlannedResource[] = []
  const open: string[] = []
  const visit = (name: string): void => {
    const resource = planned.find(one => one.name === name)
    if (!resource || ordered.includes(resource)) return
    if (open.includes(name)) {
      const at = level.resources.find(one => one.name === name)?.at
      const found = [...open.slice(open.indexOf(name)), name].join(' → ')
      if (at)
        problems.push({
          code: 'resource-cycle',
          ...locate(at, [], 'key'),
          rule: 'must not need itself',
          found,
        })
      return
    }
    open.push(name)
    for (const need of needs.get(name) ?? []) visit(need)
    open.pop()
    if (!ordered.includes(resource)) ordered.push(resource)
  }
  for (const { name } of planned) visit(name)
  const idle = new Set([...named].filter(name => !isNeeded(name, level, needs)))
  return ordered.filter(({ name }) => !idle.has(name))
}

/** Whether a node needs a resource, itself or through other resources. */
function isNeeded(name: string, { nodes }: Level, needs: ReadonlyMap<string, readonly string[]>): boolean {
  const reached = new Set<string>()
  const reach = (names: readonly string[]): void => {
    for (const each of names) {
      if (reached.has(each)) continue
      reached.add(each)
      reach(needs.get(each) ?? [])
    }
  }
  for (const node of nodes) reach(needs.get(`node ${node.name}`) ?? [])
  return reached.has(name)
}

function fieldsOf(part: FlatNode | FlatResource, registry: Registry): Fields | undefined {
  return 'operator' in part
    ? lookUp(registry.operators, part.operator)?.config
    : lookUp(registry.resources, part.resource)?.config
}

/** A resource that a part's config names, and whether the config says that it is not needed. */
interface Use {
  name: string
  isIdle: boolean
}

/** The resources that a part's config names: in its own sub-graph first, then in those around it. */
function usesIn(
  part: FlatNode | FlatResource,
  fields: Fields,
  level: Level,
  registry: Registry,
  problems: Problem[],
): Use[] {
  const uses: Use[] = []
  // only a field of text has `resource`
  const entries = Object.entries(fields as Record<string, TextField>)
  for (const [field, { resource: kind, idle, default: fallback }] of entries) {
    const stated = part.config[field] ?? fallback
    // a field whose default is '' may leave the resource out
    if (kind === undefined || typeof stated !== 'string' || (stated === '' && fallback === '')) continue
    if (part.at.graph.holes.has([...part.at.path, 'config', field].join('.'))) continue
    const resource = inScope(stated, part.scope, level.resources)
    if (resource) uses.push({ name: resource.name, isIdle: holds(idle, part, fields) })
    const statedKind = resource && kindOf(resource, registry)
    if (resource && (statedKind === undefined || statedKind === kind)) continue
    const problem = {
      code: 'bad-config',
      ...locate(part.at, ['config', field]),
      rule: `must name a resource of kind "${kind}"`,
    } as const
    if (resource) {
      problems.push({ ...problem, found: `${show(stated)} of kind "${statedKind}"` })
    } else {
      const candidates = level.resources.filter(one => kindOf(one, registry) === kind).map(({ name }) => name)
      const remedy = `add it to the graph: "resources": { ${show(stated)}: { "resource": "${kind}", "config": { … } } }`
      const help = candidates.length === 0 ? { hint: 'the graph has none', remedy } : near(stated, candidates)
      problems.push({ ...problem, found: show(stated), ...help })
    }
  }
  return uses
}

interface TextField {
  resource?: string
  idle?: Readonly<Record<string, string | number | boolean>>
  default?: unknown
}

/** Whether all of these fields have these values; a value of `--set` may still be text. */
function holds(wanted: TextField['idle'], { config }: FlatNode | FlatResource, fields: Fields): boolean {
  if (!wanted) return false
  return Object.entries(wanted).every(
    ([field, value]) => String(config[field] ?? fields[field]?.default) === String(value),
  )
}

/** The kind of a resource; undefined when its type is unknown, which has been reported. */
const kindOf = ({ resource }: FlatResource, registry: Registry): string | undefined =>
  lookUp(registry.resources, resource)?.kind

/** The resource that a name means in a scope: in its own sub-graph first, then in those around it. */
export function inScope<T extends { name: string }>(
  name: string,
  scope: string,
  resources: readonly T[],
): T | undefined {
  for (let prefix = scope; ; prefix = prefix.replace(/[^/]+\/$/, '')) {
    const match = resources.find(resource => resource.name === prefix + name)
    if (match || prefix === '') return match
  }
}

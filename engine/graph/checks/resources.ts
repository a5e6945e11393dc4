import type { Fields } from '../../operator.ts'
import { near } from '../did-you-mean.ts'
import { type FlatNode, type FlatResource, type Level, locate } from '../flatten/flat.ts'
import type { PlannedResource, Registry } from '../plan.ts'
import { type Problem, show } from '../problem.ts'

/**
 * The resources in the order in which they open. Reports config fields that name no resource of the kind they ask
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
    const found = fields ? namesIn(part, fields, level, registry, problems) : []
    for (const name of found) named.add(name)
    needs.set(part.at.path[0] === 'resources' ? part.name : `node ${part.name}`, found)
  }
  // what a broken or unknown part names cannot be known: no complaint about unused resources then
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
  return ordered
}

function fieldsOf(part: FlatNode | FlatResource, registry: Registry): Fields | undefined {
  if ('operator' in part)
    return Object.hasOwn(registry.operators, part.operator)
      ? registry.operators[part.operator].config
      : undefined
  return Object.hasOwn(registry.resources, part.resource)
    ? registry.resources[part.resource].config
    : undefined
}

/** Full names of the resources that a part's config names: in its own sub-graph first, then in those around it. */
function namesIn(
  part: FlatNode | FlatResource,
  fields: Fields,
  level: Level,
  registry: Registry,
  problems: Problem[],
): string[] {
  const names: string[] = []
  for (const [field, { resource: kind }] of Object.entries(
    fields as Record<string, { resource?: string; default?: unknown }>,
  )) {
    const stated = part.config[field] ?? fields[field].default
    // a field whose default is '' may leave the resource out
    if (kind === undefined || typeof stated !== 'string' || (stated === '' && fields[field].default === ''))
      continue
    if (part.at.graph.holes.has([...part.at.path, 'config', field].join('.'))) continue
    const found = inScope(stated, part.scope, level.resources)
    const kindFound =
      found && Object.hasOwn(registry.resources, found.resource)
        ? registry.resources[found.resource].kind
        : undefined
    if (found) names.push(found.name)
    if (found && (kindFound === undefined || kindFound === kind)) continue
    const where = locate(part.at, ['config', field])
    if (found) {
      problems.push({
        code: 'bad-config',
        ...where,
        rule: `must name a resource of kind "${kind}"`,
        found: `${show(stated)} of kind "${kindFound}"`,
      })
    } else {
      const right = level.resources.filter(
        one =>
          Object.hasOwn(registry.resources, one.resource) && registry.resources[one.resource].kind === kind,
      )
      const names = right.map(one => one.name)
      problems.push({
        code: 'bad-config',
        ...where,
        rule: `must name a resource of kind "${kind}"`,
        found: show(stated),
        ...(names.length === 0 ? { hint: 'the graph has none' } : near(stated, names)),
      })
    }
  }
  return names
}

/** The resource that a name means where it stands: in its own sub-graph first, then in those around it. */
export function inScope<T extends { name: string }>(
  name: string,
  scope: string,
  resources: readonly T[],
): T | undefined {
  for (let prefix = scope; ; prefix = prefix.replace(/[^/]+\/$/, '')) {
    const found = resources.find(resource => resource.name === prefix + name)
    if (found || prefix === '') return found
  }
}

import type { Fields } from '../operator.ts'
import { withoutMark } from '../shared/json.ts'
import { checkBatches } from './checks/batches.ts'
import { checkBest } from './checks/best.ts'
import { checkConfig, findUnread } from './checks/config.ts'
import { checkEdges, findUnconnected, nameEnds } from './checks/edges.ts'
import { checkFields, emissionChecks, kindChecks } from './checks/kinds.ts'
import { checkLearners } from './checks/learners.ts'
import { checkMarks } from './checks/marks.ts'
import { checkPairs } from './checks/pairs.ts'
import { planParts, statedParts } from './checks/parts.ts'
import { orderResources } from './checks/resources.ts'
import { dimsOf, sizesOf } from './checks/sizes.ts'
import { typeEdges } from './checks/types.ts'
import { near } from './did-you-mean.ts'
import { dotted } from './file/graph-file.ts'
import { readSettings } from './file/settings.ts'
import { type ExpandOptions, expand } from './flatten/expand.ts'
import { endName, type FlatNode, type FlatResource, type Level, locate } from './flatten/flat.ts'
import { lookUp } from './look-up.ts'
import { readGraphFile, unreadable } from './missing-file.ts'
import type { Plan, PlannedNode, PlannedResource, Registry } from './plan.ts'
import { GraphError, type Problem, show } from './problem.ts'
import { hideIn } from './secrets.ts'

export interface CheckOptions {
  /** `key=value` texts, as `--set` takes them. */
  set?: readonly string[]
  environment?: ExpandOptions['environment']
  read?: ExpandOptions['read']
  /** `name=node,node` texts, as `--part` takes them: they take the place of the parts in the file. */
  parts?: readonly string[]
  /** Processes that share each update, as `--learners` takes it. */
  learners?: number
}

/** The result of a check: a plan when there is no problem. Warnings do not keep a graph from running. */
export interface Checked {
  plan?: Plan
  problems: Problem[]
  warnings: Problem[]
}

/** Checks a graph file whole; throws a GraphError that holds every problem. */
export function loadGraph(file: string, registry: Registry, options: CheckOptions = {}): Plan {
  const { plan, problems } = checkGraph(file, registry, options)
  if (!plan) throw new GraphError(problems)
  return plan
}

/** Everything that is wrong with a graph file and what it includes, or the plan to run when nothing is. */
export function checkGraph(file: string, registry: Registry, options: CheckOptions = {}): Checked {
  const secrets = new Map<string, string>()
  const { problems, warnings, ...rest } = checkWith(secrets, file, registry, options)
  const told = problems.map(withCommand)
  return { ...rest, problems: hideIn(told, secrets), warnings: hideIn(warnings, secrets) }
}

/** What to write for a `--set` with a wrong name: the whole of it. */
function withCommand(problem: Problem): Problem {
  const { place, path, found = '', nearest, remedy } = problem
  const [name = ''] = found.replaceAll('"', '').split('=')
  if (place || nearest === undefined || remedy !== undefined || name === '') return problem
  const key = path.startsWith('--set ') ? path.indexOf(name, '--set '.length) : -1
  if (key < 0) return problem
  return { ...problem, remedy: `write ${path.slice(0, key)}${nearest}${path.slice(key + name.length)}` }
}

function checkWith(
  secrets: Map<string, string>,
  file: string,
  registry: Registry,
  options: CheckOptions,
): Checked {
  const { settings, problems } = readSettings(options.set ?? [])
  problems.push(...(registry.problems ?? []))
  const sources = new Map<string, string>()
  const read = (name: string) => {
    const text = withoutMark(options.read ? options.read(name) : readGraphFile(name))
    sources.set(name, text)
    return text
  }
  const inParams: Problem[] = []
  let level: Level | undefined
  try {
    level = expand(file, {
      settings,
      environment: options.environment ?? {},
      read,
      secrets,
      problems,
      warnings: inParams,
    })
  } catch (error) {
    return { problems: [unreadable(file, error)], warnings: [] }
  }
  const files = [...sources.keys()]
  if (!level) return { problems: inOrder(problems, files), warnings: [] }

  const resources = level.resources.flatMap(part => planResource(part, registry, problems))
  const nodes = level.nodes.flatMap(part => planNode(part, registry, problems))
  const ordered = orderResources(level, registry, resources, problems)
  checkEdges(level.nodes, registry, problems)
  nameEnds(problems, level.nodes, registry)
  const sizes = sizesOf(resources)
  const types = typeEdges(
    nodes.map(node => ({ ...node, dims: dimsOf(node, sizes) })),
    problems,
  )
  checkBatches(nodes, problems)
  // what is wrong with a node must not be told again of those that name it
  const isWhole = nodes.length === level.nodes.length
  const parts = isWhole
    ? planParts(
        statedParts(options.parts ?? [], level.parts),
        { nodes, types, forms: registry.forms },
        problems,
      )
    : []
  checkLearners(nodes, options.learners ?? 1, problems)
  if (problems.length === 0) {
    checkFields(nodes, types, registry, problems)
    checkPairs(nodes, problems)
    checkMarks(nodes, problems)
    checkBest(nodes, level.checkpoint?.best ?? '', registry, problems)
  }
  const outward = new Set([...level.outputs.values()].map(endName))
  const remarks = [
    ...(registry.warnings ?? []),
    ...inParams,
    // an edge that is wrong may be the one that the output lacks
    ...(problems.length === 0 ? findUnconnected(level.nodes, registry, outward) : []),
    ...[...level.nodes, ...level.resources].flatMap(part => findUnread(part, registry)),
  ]
  const warnings = inOrder(remarks, files)
  if (problems.length > 0) return { problems: inOrder(problems, files), warnings }
  const { summary, params, checkpoint, shown } = level
  const cadence = checkpoint && { checkpoint }
  const plan = {
    file,
    sources,
    summary,
    params,
    nodes: nodes.map(node => {
      const accepts = kindChecks(node, types, registry)
      const plugin = emissionChecks(node, types, registry)
      return { ...node, ...(Object.keys(accepts).length > 0 && { accepts }), ...(plugin && { plugin }) }
    }),
    resources: ordered,
    parts,
    types,
    ...cadence,
    shown,
    secrets,
  }
  return { plan, problems, warnings }
}

/** The unknown fields and ports of a part that is wrong in other ways, too: all slips of the pen are told at once. */
function findSlips(
  part: FlatNode | FlatResource,
  type: { config: Fields } | undefined,
  problems: Problem[],
): void {
  if (!part.broken || !type) return
  const found: Problem[] = []
  checkConfig(part, type.config, found)
  problems.push(...found.filter(({ rule }) => rule === 'must be a known key'))
}

function planNode(part: FlatNode, registry: Registry, problems: Problem[]): PlannedNode[] {
  findSlips(part, lookUp(registry.operators, part.operator), problems)
  if (part.broken || part.at.graph.holes.has(dotted([...part.at.path, 'operator']))) return []
  const operator = lookUp(registry.operators, part.operator)
  if (!operator) {
    // it may be one of the plugin that cannot be loaded
    if (registry.problems) return []
    problems.push({
      code: 'unknown-operator',
      ...locate(part.at, ['operator']),
      rule: 'must be a known operator',
      found: show(part.operator),
      ...near(part.operator, Object.keys(registry.operators)),
    })
    return []
  }
  const { name, scope, onError, parallel, wires, at } = part
  const before = problems.length
  const config = checkConfig(part, operator.config, problems)
  // an operator tells its shapes and batches only of a valid config
  if (problems.length > before) return []
  const planned = { name, scope, operatorName: part.operator, operator, config, onError, wires, at }
  return [parallel === undefined ? planned : { ...planned, parallel }]
}

function planResource(part: FlatResource, registry: Registry, problems: Problem[]): PlannedResource[] {
  findSlips(part, lookUp(registry.resources, part.resource), problems)
  if (part.broken || part.at.graph.holes.has(dotted([...part.at.path, 'resource']))) return []
  const resource = lookUp(registry.resources, part.resource)
  if (!resource) {
    if (registry.problems) return []
    problems.push({
      code: 'unknown-resource',
      ...locate(part.at, ['resource']),
      rule: 'must be a known resource type',
      found: show(part.resource),
      ...near(part.resource, Object.keys(registry.resources)),
    })
    return []
  }
  const before = problems.length
  const config = checkConfig(part, resource.config, problems)
  if (problems.length > before) return []
  const { name, scope, at } = part
  return [{ name, scope, resourceName: part.resource, resource, config, at }]
}

/** Problems in the order in which a reader meets them: the command line first, then by file as read, then by position. */
function inOrder(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const rank = ({ place }: Problem) => (place ? files.indexOf(place.file) + 1 : 0)
  return [...problems].sort(
    (a, b) =>
      rank(a) - rank(b) ||
      (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
      (a.place?.column ?? 0) - (b.place?.column ?? 0),
  )
}

import { messageOf } from '../../shared/errors.ts'
import { isObject } from '../../shared/json.ts'
import { pathFrom, readSource } from '../file/extends.ts'
import { dotted, type Path, type Source } from '../file/graph-file.ts'
import { graphSchema } from '../file/graph-schema.ts'
import { type Interpolated, interpolate } from '../file/interpolate.ts'
import { type Given, resolveParams } from '../file/params.ts'
import { applyPaths, pathsWithin, type Settings } from '../file/settings.ts'
import { type Validator, validator } from '../file/validate.ts'
import { type Problem, show } from '../problem.ts'
import { type Cadence, foundAt, type Level, type Locator, locate, type OnError, wiresOf } from './flat.ts'
import { declareEnds, lift, resolveEnds } from './sub-graphs.ts'

export interface ExpandOptions {
  settings: Settings
  environment: Readonly<Record<string, string | undefined>>
  /** Reads a file's text; throws when it cannot. */
  read(file: string): string
  /** Filled with the values that came from the environment. */
  secrets: Map<string, string>
}

const validate: Validator = validator(graphSchema)

/** Reads a graph and puts the nodes of its sub-graphs in place of the nodes that name them. Adds faults to `problems`. */
export function expand(
  file: string,
  options: ExpandOptions,
  problems: Problem[],
  around: readonly string[] = [],
): Level | undefined {
  const source = readSource(file, options.read, problems)
  if (!source) return undefined
  const { params, problems: paramProblems } = resolveParams(
    source,
    options.settings.params,
    options.environment,
  )
  for (const { env } of [...params.values()].filter(({ secret }) => secret)) {
    const value = env === undefined ? undefined : options.environment[env]
    if (value !== undefined) options.secrets.set(value, `\${env:${env}}`)
  }
  const graph = interpolate(source, params)
  applyPaths(graph, options.settings.paths)
  problems.push(...paramProblems, ...graph.problems)
  const broken = checkStructure(source, graph, problems)

  const at = (...path: Path): Locator => ({ source, path, graph })
  const { value } = graph
  const level: Level = {
    summary: typeof value.summary === 'string' ? value.summary : '',
    nodes: [],
    resources: [],
    inputs: new Map(),
    outputs: new Map(),
    params: Object.fromEntries(
      [...params.values()].map(p => [p.name, p.secret ? `\${env:${p.env}}` : p.value]),
    ),
    // its structure has been checked and its defaults filled in; a graph with problems does not run
    checkpoint: value.checkpoint as Cadence | undefined,
    shown: graph.shown,
  }
  for (const [name, part] of entries(value.resources)) {
    const { resource, config } = part
    level.resources.push({
      name,
      scope: '',
      resource: String(resource),
      config: isObject(config) ? config : {},
      broken: broken('resources', name),
      at: at('resources', name),
    })
  }
  const subs = new Map<string, Level | undefined>()
  for (const [name, part] of entries(value.nodes)) {
    const wrong = broken('nodes', name)
    const where = at('nodes', name)
    const wires = wrong ? [] : wiresOf(part.from, where)
    if (typeof part.graph === 'string') {
      const inner = wrong
        ? undefined
        : expandSub(name, part.graph, part.params, where, options, problems, around)
      subs.set(name, inner)
      if (inner) lift(name, inner, wires, level, problems)
    } else {
      // checkStructure has checked the types; of a broken node only the name is used
      const { operator, onError, parallel } = part as {
        operator: string
        onError: OnError
        parallel?: number
      }
      const config = isObject(part.config) ? part.config : {}
      const many = parallel === undefined ? {} : { parallel }
      level.nodes.push({
        name,
        scope: '',
        operator,
        config,
        onError,
        ...many,
        wires,
        broken: wrong,
        at: where,
      })
    }
  }
  resolveEnds(level, subs, problems)
  if (!broken('inputs') && !broken('outputs')) declareEnds(level, value, at, subs, problems)
  return level
}

/** Reports violations of the graph's schema; the result tells whether there is one at a path or inside it. */
function checkStructure(
  source: Source,
  graph: Interpolated,
  problems: Problem[],
): (...path: string[]) => boolean {
  const wrong = new Set<string>()
  for (const { path, part, missing, found, ...rest } of validate(graph.value)) {
    for (let steps = 1; steps <= path.length; steps++) wrong.add(dotted(path.slice(0, steps)))
    const isHole = graph.holes.has(dotted(missing === undefined ? path : [...path, missing]))
    if (isHole) continue
    problems.push({ ...rest, ...foundAt(graph, path, found), ...locate({ source, path, graph }, [], part) })
  }
  return (...path) => wrong.has(dotted(path))
}

function entries(section: unknown): [string, Record<string | number, unknown>][] {
  return isObject(section)
    ? Object.entries(section).flatMap(([name, part]) => (isObject(part) ? [[name, part]] : []))
    : []
}

function expandSub(
  name: string,
  path: string,
  params: unknown,
  at: Locator,
  options: ExpandOptions,
  problems: Problem[],
  around: readonly string[],
): Level | undefined {
  const { file } = at.source
  const inner = pathFrom(file, path)
  const chain = [...around, file]
  if (chain.includes(inner)) {
    const found = [...chain, inner].join(' → ')
    problems.push({ code: 'bad-sub-graph', ...locate(at, ['graph']), rule: 'must not contain itself', found })
    return undefined
  }
  const given = new Map<string, Given>()
  for (const [key, value] of Object.entries(isObject(params) ? params : {})) {
    given.set(key, { value, problem: locate(at, ['params', key]) })
  }
  const settings = { params: given, paths: pathsWithin(options.settings.paths, name) }
  try {
    return expand(inner, { ...options, settings }, problems, chain)
  } catch (error) {
    const hint = messageOf(error)
    problems.push({
      code: 'bad-sub-graph',
      ...locate(at, ['graph']),
      rule: 'must be a file that can be read',
      found: show(path),
      hint,
    })
    return undefined
  }
}

import { isObject } from '../../shared/json.ts'
import { pathFrom, readSource } from '../file/extends.ts'
import type { Path } from '../file/graph-file.ts'
import { interpolate } from '../file/interpolate.ts'
import { type Given, type Params, resolveParams } from '../file/params.ts'
import { applyPaths, pathsWithin, type Settings } from '../file/settings.ts'
import { whyUnread } from '../missing-file.ts'
import { type Problem, show } from '../problem.ts'
import {
  type Cadence,
  type FlatNode,
  type FlatPart,
  type Level,
  type Locator,
  locate,
  wiresOf,
} from './flat.ts'
import { checkStructure } from './structure.ts'
import { declareEnds, lift, resolveEnds } from './sub-graphs.ts'

export interface ExpandOptions {
  settings: Settings
  environment: Readonly<Record<string, string | undefined>>
  /** Reads a file's text; throws when it cannot. */
  read(file: string): string
  /** Filled with the values that came from the environment. */
  secrets: Map<string, string>
  /** Filled with the faults of all files. */
  problems: Problem[]
  /** Filled with what is most likely not meant. */
  warnings: Problem[]
}

/**
 * Reads a graph and puts the nodes of its sub-graphs in place of the nodes that name them. `within` is the node that this graph is
 * as a sub-graph.
 */
export function expand(file: string, options: ExpandOptions, within?: Locator): Level | undefined {
  const { settings, environment, problems } = options
  const source = readSource(file, options.read, problems)
  if (!source) return undefined
  const { params, ...found } = resolveParams(source, settings.params, environment)
  options.warnings.push(...found.warnings)
  noteSecrets(params, options)
  const graph = interpolate(source, params)
  applyPaths(graph, settings.paths)
  problems.push(...found.problems, ...graph.problems)
  const broken = checkStructure(source, graph, problems)

  const at = (...path: Path): Locator => ({ source, path, graph, ...(within && { within }) })
  const { value } = graph
  const level: Level = {
    summary: typeof value.summary === 'string' ? value.summary : '',
    nodes: [],
    resources: entries(value.resources).map(([name, { resource, config }]) => ({
      name,
      scope: '',
      resource: String(resource),
      config: isObject(config) ? config : {},
      broken: broken('resources', name),
      at: at('resources', name),
    })),
    inputs: new Map(),
    outputs: new Map(),
    parts: entries(value.parts).flatMap(([name, part]) =>
      broken('parts', name) ? [] : [flatPart(name, part, at('parts', name))],
    ),
    params: Object.fromEntries(
      [...params.values()].map(({ name, env, secret, value }) => [name, secret ? `\${env:${env}}` : value]),
    ),
    // its structure has been checked and its defaults filled in; a graph with problems does not run
    checkpoint: value.checkpoint as Cadence | undefined,
    shown: graph.shown,
  }
  const subs = new Map<string, Level | undefined>()
  for (const [name, part] of entries(value.nodes)) {
    const isBroken = broken('nodes', name)
    const place = at('nodes', name)
    if (typeof part.graph !== 'string') {
      level.nodes.push(flatNode(name, part, isBroken, place))
      continue
    }
    const inner = isBroken
      ? undefined
      : expandSub({ name, path: part.graph, params: part.params, at: place }, options)
    subs.set(name, inner)
    if (inner) lift(name, inner, wiresOf(part.from, place), level, problems)
  }
  resolveEnds(level, subs, problems)
  if (!broken('inputs') && !broken('outputs')) declareEnds(level, value, at, subs, problems)
  return level
}

function noteSecrets(params: Params, { environment, secrets }: ExpandOptions): void {
  for (const { env, secret } of params.values()) {
    const value = secret && env !== undefined ? environment[env] : undefined
    if (value !== undefined) secrets.set(value, `\${env:${env}}`)
  }
}

function entries(section: unknown): [string, Record<string | number, unknown>][] {
  return isObject(section)
    ? Object.entries(section).flatMap(([name, part]) => (isObject(part) ? [[name, part]] : []))
    : []
}

function flatNode(name: string, part: Record<string, unknown>, broken: boolean, at: Locator): FlatNode {
  // checkStructure has checked the types; of a broken node only the name is used
  const { operator, onError, parallel } = part as Pick<FlatNode, 'operator' | 'onError' | 'parallel'>
  return {
    name,
    scope: '',
    operator,
    config: isObject(part.config) ? part.config : {},
    onError,
    ...(parallel !== undefined && { parallel }),
    wires: broken ? [] : wiresOf(part.from, at),
    broken,
    at,
  }
}

function flatPart(name: string, part: Record<string, unknown>, at: Locator): FlatPart {
  // checkStructure has checked the types
  const stated = part as Pick<FlatPart, 'nodes' | 'credits'>
  return { ...stated, name, place: index => locate(at, index === undefined ? [] : ['nodes', index]) }
}

/** A node that names a sub-graph. */
interface SubGraphNode {
  name: string
  path: string
  params: unknown
  at: Locator
}

function expandSub({ name, path, params, at }: SubGraphNode, options: ExpandOptions): Level | undefined {
  const file = pathFrom(at.source.file, path)
  const bad = (rule: string, found: string, hint?: string) =>
    options.problems.push({
      code: 'bad-sub-graph',
      ...locate(at, ['graph']),
      rule,
      found,
      ...(hint !== undefined && { hint }),
    })
  const around = filesAround(at)
  if (around.includes(file)) {
    bad('must not contain itself', [...around, file].join(' → '))
    return undefined
  }
  const given = new Map<string, Given>()
  for (const [key, value] of Object.entries(isObject(params) ? params : {})) {
    given.set(key, { value, problem: locate(at, ['params', key]) })
  }
  const settings = { params: given, paths: pathsWithin(options.settings.paths, name) }
  try {
    return expand(file, { ...options, settings }, at)
  } catch (error) {
    bad('must be a file that can be read', show(path), whyUnread(file, error).why)
    return undefined
  }
}

/** The files of a part and of the graphs that it is in, the outermost first. */
const filesAround = ({ source, within }: Locator): string[] => [
  ...(within ? filesAround(within) : []),
  source.file,
]

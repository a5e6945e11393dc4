import { statSync } from '../../platform/files.ts'
import { dirname, isAbsolute, join, relative, resolve } from '../../platform/paths.ts'
import { isObject } from '../../shared/json.ts'
import { merge, object } from '../../shared/merge.ts'
import { packageFolder } from '../../shared/package-folder.ts'
import { whyUnread } from '../missing-file.ts'
import { type Problem, show } from '../problem.ts'
import { type Path, parseSource, type Source } from './graph-file.ts'

type Read = (file: string) => string

/**
 * Reads a graph file, and the file that it extends if it names one. The result is that file with the changes of this
 * one merged into it (RFC 7396: objects are merged, other values replaced, `null` removes a key). Adds what is wrong
 * with either file to `problems`. Throws when `file` itself cannot be read.
 */
export function readSource(
  file: string,
  read: Read,
  problems: Problem[],
  extendedBy: readonly string[] = [],
): Source | undefined {
  const parsed = parseSource(file, read(file))
  problems.push(...parsed.problems)
  const { source } = parsed
  if (!source) return undefined
  if (!isObject(source.value)) {
    const rule = 'must be a JSON object'
    problems.push({ code: 'structure', place: source.place([]), path: '', rule, found: show(source.value) })
    return undefined
  }
  if (!('extends' in source.value)) return source
  const base = readBase(source, source.value.extends, read, problems, [...extendedBy, file])
  return base && mergeSources(base, source)
}

function readBase(
  source: Source,
  path: unknown,
  read: Read,
  problems: Problem[],
  chain: readonly string[],
): Source | undefined {
  const bad = (rule: string, found: string, rest: Partial<Problem> = {}) =>
    problems.push({
      code: 'bad-extends',
      place: source.place(['extends']),
      path: 'extends',
      rule,
      found,
      ...rest,
    })
  if (Array.isArray(path)) {
    const remedy =
      'name one graph, which may extend another one; put what several graphs share into a sub-graph'
    bad('must be the path of one graph file: a graph extends one base only', show(path), { remedy })
    return undefined
  }
  if (typeof path !== 'string' || path === '') {
    bad('must be the path of a graph file', show(path))
    return undefined
  }
  const file = pathFrom(source.file, path)
  if (chain.some(other => resolve(other) === resolve(file))) {
    bad('must not extend itself', [...chain, file].join(' → '))
    return undefined
  }
  try {
    // a device such as /dev/zero, or a pipe, may never end
    if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) throw new Error('not a regular file')
    return readSource(file, read, problems, chain)
  } catch (error) {
    const { why, nearest } = whyUnread(file, error)
    const remedy = nearest !== undefined && { remedy: `write ${show(beside(path, nearest))}` }
    bad('must be a file that can be read', show(path), { hint: why, ...remedy })
    return undefined
  }
}

/** What a graph text inherits, as it would stand in its file: the graph that it extends, without its own changes. */
export function inheritedBy(file: string, text: string, read: Read): Record<string, unknown> | undefined {
  const { extends: base } = object(parseSource(file, text).source?.value)
  if (base === undefined) return undefined
  const alone = JSON.stringify({ extends: base })
  return object(readSource(file, name => (name === file ? alone : read(name)), [])?.value)
}

/** A path with another name at its end. */
export const beside = (path: string, name: string): string => path.replace(/[^/:]*$/, name)

/** The path of a file that a graph file names: relative to itself, or `flow:NAME` for one in the graphs of flow. */
export function pathFrom(file: string, path: string): string {
  if (path.startsWith(shipped)) return join(packageFolder, 'graphs', path.slice(shipped.length))
  return isAbsolute(path) ? path : join(dirname(file), path)
}

const shipped = 'flow:'

function mergeSources(base: Source, changes: Source): Source {
  const { $schema: _, ...inherited } = object(moveTo(changes.file, base))
  const { extends: __, $schema, ...changed } = object(changes.value)
  const value = { ...($schema !== undefined && { $schema }), ...object(merge(inherited, changed)) }
  return {
    file: changes.file,
    value,
    place: (path, part) => ownerOf(path, base, changes).place(path, part),
    removed: [...(base.removed ?? []), ...namesOfNull(changed.params)],
  }
}

const namesOfNull = (params: unknown): string[] =>
  Object.entries(object(params)).flatMap(([name, value]) => (value === null ? [name] : []))

/** The source that states the value at a path: the changes when they touch it or anything inside it. */
function ownerOf(path: Path, base: Source, changes: Source): Source {
  let below = base.value
  let above = changes.value
  for (const step of path) {
    if (!isObject(above) || !isObject(below)) return changes
    if (!Object.hasOwn(above, step)) return Object.hasOwn(below, step) ? base : changes
    above = above[step]
    below = below[step]
  }
  return changes
}

/** A base's value with its paths of sub-graphs and plugins rewritten, so that they are relative to another file. */
function moveTo(file: string, { file: from, value }: Source): unknown {
  if (!isObject(value) || resolve(dirname(file)) === resolve(dirname(from))) return value
  const move = (path: string) => {
    if (isAbsolute(path) || path.startsWith(shipped)) return path
    const moved = relative(dirname(file), pathFrom(from, path))
    return moved.startsWith('.') ? moved : `./${moved}`
  }
  const { nodes, plugins } = value
  return {
    ...value,
    ...(isObject(nodes) && { nodes: mapValues(nodes, node => moveGraph(node, move)) }),
    ...(Array.isArray(plugins) && { plugins: plugins.map(name => (isPath(name) ? move(name) : name)) }),
  }
}

const moveGraph = (node: unknown, move: (path: string) => string): unknown =>
  isObject(node) && typeof node.graph === 'string' ? { ...node, graph: move(node.graph) } : node

/** Whether a plugin is named by its path; otherwise it is a package. */
const isPath = (name: unknown): name is string => typeof name === 'string' && /^\.{1,2}\//.test(name)

const mapValues = (value: Record<string, unknown>, change: (item: unknown) => unknown) =>
  Object.fromEntries(Object.entries(value).map(([key, item]) => [key, change(item)]))

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { apiVersion, type Operator, type Resource, type WireForm } from '../operator.ts'
import { messageOf } from '../shared/errors.ts'
import { refuseUnlessFile } from '../shared/files.ts'
import { leadsInto } from '../shared/inside.ts'
import { isObject } from '../shared/json.ts'
import { pathHere } from '../shared/path-here.ts'
import { near } from './did-you-mean.ts'
import { pathFrom, readSource } from './file/extends.ts'
import type { Source } from './file/graph-file.ts'
import type { Schema } from './file/schema.ts'
import { validator } from './file/validate.ts'
import { setPluginOf } from './part-plugins.ts'
import type { NamedPart, PartTables, Registry } from './plan.ts'
import { faultOfFields } from './plugin-fields.ts'
import { loadFault } from './plugin-load-fault.ts'
import { type Problem, show } from './problem.ts'

/** The name of a plugin: a path such as `./ops.js`, relative to `folder`, or a package that Node finds from there. */
export interface PluginName {
  readonly name: string
  readonly folder: string
  /** The place that names it, for messages. */
  readonly problem: Pick<Problem, 'place' | 'path'>
  /** A folder in which the module must not be. */
  readonly notIn?: string
}

/**
 * The plugins that a graph file, the files that it extends and its sub-graphs name. A file that cannot be read, or is
 * wrong, names none: the check of the graph reports it.
 */
export function pluginsOf(file: string, read = readIfThere, seen = new Set<string>()): PluginName[] {
  const path = resolve(file)
  if (seen.has(path)) return []
  seen.add(path)
  const source = sourceOf(file, read)
  if (!source || !isObject(source.value)) return []
  const { plugins, nodes } = source.value
  const names = (Array.isArray(plugins) ? plugins : []).flatMap((name, i): PluginName[] => {
    const problem = { place: source.place(['plugins', i]), path: `plugins.${i}` }
    return typeof name === 'string' ? [{ name, folder: dirname(path), problem }] : []
  })
  const subGraphs = Object.values(isObject(nodes) ? nodes : {}).flatMap(node =>
    isObject(node) && typeof node.graph === 'string' ? [pathFrom(file, node.graph)] : [],
  )
  return [...names, ...subGraphs.flatMap(subGraph => pluginsOf(subGraph, read, seen))]
}

function sourceOf(file: string, read: (file: string) => string): Source | undefined {
  try {
    return readSource(file, read, [])
  } catch {
    return undefined
  }
}

/**
 * The registry with the operators, resources, kinds, parts and wire forms of plugins. A plugin is a module that exports `api`,
 * the version of the operator contract that it was written for, and any of `operators`, `resources`, `kinds`, `parts` and `forms`. A fault of a plugin is a problem of
 * every graph that is checked with the result.
 */
export async function withPlugins(registry: Registry, names: readonly PluginName[]): Promise<Registry> {
  const operators: Record<string, Operator> = { ...registry.operators }
  const resources: Record<string, Resource> = { ...registry.resources }
  const forms: Record<string, WireForm> = { ...registry.forms }
  const kinds: Record<string, Schema> = { ...registry.kinds }
  const problems: Problem[] = []
  const modules: Record<string, string> = { ...registry.modules }
  const loaded = new Set<string>()
  if (names.length > 0) await import('./register.ts')
  for (const { name, folder, problem, notIn } of names) {
    const bad = (rule: string, found: string, rest: Partial<Problem> = {}) =>
      problems.push({ code: 'bad-plugin', ...problem, rule, found, remedy: 'correct the module', ...rest })
    let module: Record<string, unknown>
    let url: string
    try {
      url = locate(name, folder)
      if (loaded.has(url)) continue
      if (notIn !== undefined && isWithin(notIn, fileURLToPath(url))) {
        const remedy = `--plugin ${wordFor(fileURLToPath(url))} loads it, if you trust who made ${notIn}`
        bad('must not be in the folder of the run', show(name), { remedy })
        continue
      }
      loaded.add(url)
      module = await import(url)
    } catch (error) {
      bad(
        'must be a module that can be loaded',
        show(name),
        loadFault(error, name, folder, notIn !== undefined),
      )
      continue
    }
    if (module.api !== apiVersion) {
      const remedy =
        module.api === undefined
          ? `add "export const api = ${apiVersion}" to it`
          : `install a release of the plugin for version ${apiVersion}, or the release of flow that it was written for`
      bad(`must export "api" ${apiVersion}, the version of the operator contract here`, show(module.api), {
        remedy,
      })
      continue
    }
    if (!contents.some(key => key in module)) {
      const remedy = 'export them by name, e.g. "export const operators = { \'my.name\': … }"'
      bad(`must export one of ${contents.join(', ')}`, Object.keys(module).join(', '), { remedy })
      continue
    }
    const before = new Set(Object.keys(operators))
    adopt(module.operators, operators, isOperator, 'operator', bad)
    for (const added of Object.keys(operators)) if (!before.has(added)) modules[added] = url
    adopt(module.resources, resources, isResource, 'resource', bad)
    adoptKinds(module.kinds, kinds, bad)
    adoptParts(module.parts, registry.parts ?? {}, isPath(name) ? fileURLToPath(url) : name, bad)
    adoptForms(module.forms, forms, bad)
  }
  return {
    ...registry,
    operators,
    resources,
    kinds,
    // a registry without forms is one for runs in one process
    ...((registry.forms || Object.keys(forms).length > 0) && { forms }),
    modules,
    ...(problems.length > 0 && { problems }),
  }
}

/** What a plugin may export besides `api`. */
const contents = ['operators', 'resources', 'kinds', 'parts', 'forms']

/** The registry as it is, with a warning for each plugin that a graph names and that is not loaded. */
export const withoutPlugins = (registry: Registry, names: readonly PluginName[]): Registry => ({
  ...registry,
  warnings: names.map(({ name, problem }) => ({
    code: 'plugin-left-out',
    ...problem,
    rule: 'is not loaded (--no-plugins), so its operators are unknown',
    found: show(name),
  })),
})

type Complaint = (rule: string, found: string, rest?: Partial<Problem>) => void

/** A module that is not there is in no folder. */
const isWithin = (folder: string, file: string): boolean => existsSync(file) && leadsInto(folder, file)

/** The nearest word, if the hint is one. */
function remedyOf(hint: string): { remedy?: string } {
  const near = /^nearest ("[^"]+")$/.exec(hint)?.[1]
  return near === undefined ? {} : { remedy: `write ${near}` }
}

/** Adds the schemas of a plugin's kinds. */
function adoptKinds(
  given: unknown,
  into: Record<string, Schema>,
  bad: (rule: string, found: string, rest?: Partial<Problem>) => void,
): void {
  for (const [name, schema] of Object.entries(isObject(given) ? given : {})) {
    if (Object.hasOwn(into, name)) bad('must not name a kind that has a schema already', show(name))
    else if (!isObject(schema)) bad(`kind "${name}" must be a JSON Schema`, show(schema))
    else {
      try {
        validator(schema)
        into[name] = schema
      } catch (error) {
        bad(`kind "${name}" must be a JSON Schema`, show(schema), { hint: messageOf(error) })
      }
    }
  }
}

function adopt<T extends { config: unknown }>(
  given: unknown,
  into: Record<string, T>,
  fits: (value: unknown) => value is T,
  kind: 'operator' | 'resource',
  bad: Complaint,
): void {
  const article = kind === 'operator' ? 'an' : 'a'
  for (const [name, part] of Object.entries(isObject(given) ? given : {})) {
    if (Object.hasOwn(into, name)) bad(`must not name ${article} ${kind} that is there already`, show(name))
    else if (!fits(part)) bad(`must hold what ${kind}() returns`, show(name))
    else {
      const fault = faultOfFields(part.config)
      if (fault)
        bad(
          `${kind} "${name}": ${fault.rule}`,
          fault.found,
          fault.hint ? { hint: fault.hint, ...remedyOf(fault.hint) } : {},
        )
      else into[name] = part
    }
  }
}

/** Adds parts to their tables: `{ towers: { mine } }` adds the tower `mine`. */
function adoptParts(given: unknown, tables: PartTables, plugin: string, bad: Complaint): void {
  for (const [title, parts] of Object.entries(isObject(given) ? given : {})) {
    const table = Object.hasOwn(tables, title) ? tables[title] : undefined
    if (!table) bad('"parts" must name tables that there are', show(title), near(title, Object.keys(tables)))
    for (const [name, part] of Object.entries(table && isObject(parts) ? parts : {}))
      if (!isPart(part))
        bad(`parts.${title}.${name} must hold a "summary" and a function "parse"`, show(part), {
          remedy: 'write { summary, parse }; "Parts of models" in operators/README.md shows one',
        })
      else if (table?.has(name) && table.get(name) !== part)
        bad(`must not name a part of "${title}" that is there already`, show(name), {
          remedy: 'choose another name',
        })
      else {
        table?.set(name, part)
        setPluginOf(part, plugin)
      }
  }
}

const isPart = (value: unknown): value is NamedPart =>
  isObject(value) && typeof value.summary === 'string' && typeof value.parse === 'function'

function adoptForms(
  given: unknown,
  into: Record<string, WireForm>,
  bad: (rule: string, found: string) => void,
): void {
  for (const [kind, form] of Object.entries(isObject(given) ? given : {})) {
    if (Object.hasOwn(into, kind)) bad('must not state the wire form of a kind that has one', show(kind))
    else if (isForm(form)) into[kind] = form
    else bad('must hold what wireForm() returns', show(kind))
  }
}

const isForm = (value: unknown): value is WireForm =>
  isObject(value) && typeof value.pack === 'function' && typeof value.unpack === 'function'

const isOperator = (value: unknown): value is Operator =>
  isObject(value) &&
  typeof value.summary === 'string' &&
  [value.config, value.inputs, value.outputs].every(isObject) &&
  typeof value.run === 'function'

const isResource = (value: unknown): value is Resource =>
  isObject(value) &&
  typeof value.summary === 'string' &&
  typeof value.kind === 'string' &&
  isObject(value.config) &&
  typeof value.open === 'function' &&
  typeof value.close === 'function'

/** A module as `--plugin` names it from here. */
function wordFor(file: string): string {
  const path = pathHere(file)
  return isPath(path) ? path : `./${path}`
}

const isPath = (name: string): boolean => /^(\.{0,2}\/|[A-Za-z]:)/.test(name)

/** The URL of a plugin's module; throws when there is none. */
export function locate(name: string, folder: string): string {
  if (isPath(name)) return pathToFileURL(resolve(folder, name)).href
  try {
    return pathToFileURL(createRequire(join(folder, 'graph.json')).resolve(name)).href
  } catch (error) {
    // `require` does not find a package that has only an entry for `import`: its folder is searched for
    const entry = entryOf(name, folder)
    if (entry === undefined) throw error
    return pathToFileURL(entry).href
  }
}

function entryOf(name: string, folder: string): string | undefined {
  for (let here = folder; ; here = dirname(here)) {
    const home = join(here, 'node_modules', name)
    const text = readIfThere(join(home, 'package.json'))
    if (text !== '') {
      const { exports, main } = JSON.parse(text)
      const root = isObject(exports) && '.' in exports ? exports['.'] : exports
      const entry = isObject(root) ? (root.import ?? root.default) : (root ?? main)
      return typeof entry === 'string' ? join(home, entry) : undefined
    }
    if (dirname(here) === here) return undefined
  }
}

function readIfThere(path: string): string {
  try {
    refuseUnlessFile(path)
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Registry } from '../graph/plan.ts'
import { type PluginName, pluginsOf, withoutPlugins, withPlugins } from '../graph/plugins.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import type { Arguments, Flag } from './arguments.ts'
import { readOrRecall } from './graph-texts.ts'
import { movedPlugins, type StoredPlugin, withoutReplaced } from './moved-plugins.ts'
import type { Verb } from './verb.ts'

export const pluginFlag: Flag = {
  value: 'MODULE',
  many: true,
  description: 'Also use the operators of a module (./ops.js) or a package.',
}

/** Flags of verbs that look at a graph and do not run it. */
export const pluginFlags = {
  plugin: pluginFlag,
  'no-plugins': {
    description: 'Load no module that the graph names: no code of a graph from elsewhere runs.',
  },
} satisfies Record<string, Flag>

/**
 * The registry with the plugins of the command line and, where the verb loads them, those of the graphs that the command
 * names or of the run that it repeats.
 */
export async function plug(registry: Registry, words: Arguments, loads: Verb['loads']): Promise<Registry> {
  const stated = statedPlugins(words).map((plugin): PluginName => {
    return { ...plugin, problem: { path: `--plugin ${plugin.name}` } }
  })
  const graphs = loads === 'graphs' ? words.positional : []
  const runs = loads === 'runs' ? words.positional : words.all('resume')
  const ofRuns = runs.flatMap(pluginsOfRun)
  const moved = words.last('resume') === undefined ? [] : movedPlugins(ofRuns, stated)
  const named = [...graphs.flatMap(file => pluginsOf(file)), ...withoutReplaced(ofRuns, moved)]
  if (words.last('no-plugins') !== undefined)
    return withoutPlugins(await withPlugins(registry, stated), named)
  return withPlugins(registry, [...stated, ...named])
}

/** The plugins of `--plugin`, with the folder from which they are resolved. */
export const statedPlugins = (words: Arguments): StoredPlugin[] =>
  words.all('plugin').map(name => ({ name, folder: process.cwd() }))

/** What names a plugin from any folder: the path of a module, or the name of a package. */
export const modulePath = ({ name, folder }: StoredPlugin): string =>
  name.startsWith('.') ? resolve(folder, name) : name

/**
 * The plugins of the command line and of the graph of a run. A module in the run's own folder is not one of them: the
 * sender of a folder of results could have put it there.
 */
function pluginsOfRun(directory: string): PluginName[] {
  const path = join(directory, 'manifest.json')
  const manifest = readManifest(path)
  const stored = storedPlugins(manifest).map((plugin, i) => {
    return { ...plugin, problem: { path: `${path} plugins.${i}` } }
  })
  const all = [...stored, ...graphPlugins(manifest)]
  return withoutReplaced(all, stored).map(plugin => ({ ...plugin, notIn: directory }))
}

/** The plugins that the graph of a run names. */
export function graphPlugins(manifest: Readonly<Record<string, unknown>>): PluginName[] {
  const { graph, workingDirectory } = manifest
  const from = typeof workingDirectory === 'string' && existsSync(workingDirectory) ? workingDirectory : '.'
  return typeof graph === 'string' ? pluginsOf(resolve(from, graph), readOrRecall(manifest)) : []
}

/** The plugins of the command line that a manifest has. */
export function storedPlugins({ plugins }: Readonly<Record<string, unknown>>): StoredPlugin[] {
  return (Array.isArray(plugins) ? plugins : []).flatMap((plugin): StoredPlugin[] => {
    const { name, folder, instead } = isObject(plugin) ? plugin : {}
    if (typeof name !== 'string' || typeof folder !== 'string') return []
    return [{ name, folder, ...(typeof instead === 'string' && { instead }) }]
  })
}

/** A manifest that is missing or damaged names no plugin: the verb reports it. */
function readManifest(path: string): Record<string, unknown> {
  try {
    return readJsonObject(path)
  } catch {
    return {}
  }
}

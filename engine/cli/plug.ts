import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Registry } from '../graph/plan.ts'
import { type PluginName, pluginsOf, withPlugins } from '../graph/plugins.ts'
import type { Arguments, Flag } from './arguments.ts'
import { readOrRecall } from './graph-texts.ts'

export const pluginFlag: Flag = {
  value: 'MODULE',
  many: true,
  description: 'Also use the operators of a module (./ops.js) or a package.',
}

/** The registry with the plugins of the command line and of the graphs, or runs, that the command names. */
export function plug(registry: Registry, words: Arguments): Promise<Registry> {
  const stated = statedPlugins(words).map((plugin): PluginName => {
    return { ...plugin, problem: { path: `--plugin ${plugin.name}` } }
  })
  const names = [...stated, ...[...words.positional, ...words.all('resume')].flatMap(pluginsIn)]
  return names.length === 0 ? Promise.resolve(registry) : withPlugins(registry, names)
}

/** The plugins of `--plugin`, with the folder from which they are resolved. */
export const statedPlugins = (words: Arguments): StoredPlugin[] =>
  words.all('plugin').map(name => ({ name, folder: process.cwd() }))

/** A plugin of the command line, as the manifest of a run keeps it. */
export type StoredPlugin = Pick<PluginName, 'name' | 'folder'>

/** The plugins that a graph file names, or those of the graph and the command line of a run directory. */
function pluginsIn(word: string): PluginName[] {
  if (word.endsWith('.json')) return pluginsOf(word)
  const path = join(word, 'manifest.json')
  if (!existsSync(path)) return []
  // the file is ours, and it is replaced as a whole
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as {
    graph?: string
    plugins?: StoredPlugin[]
    sources?: Record<string, string>
  }
  const { graph, plugins = [] } = manifest
  const stored = plugins.map((plugin, i) => ({ ...plugin, problem: { path: `${path} plugins.${i}` } }))
  return [...stored, ...(graph === undefined ? [] : pluginsOf(graph, readOrRecall(manifest)))]
}

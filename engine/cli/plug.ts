import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Registry } from '../graph/check.ts'
import { type PluginName, pluginsOf, withPlugins } from '../graph/plugins.ts'
import type { Arguments, Flag } from './arguments.ts'

export const pluginFlag: Flag = {
  value: 'MODULE',
  many: true,
  description: 'Use the operators of a module (./ops.js) or package, too.',
}

/** The registry with the plugins of the command line and of the graphs, or runs, that the command names. */
export function plug(registry: Registry, words: Arguments): Promise<Registry> {
  const stated = words.all('plugin').map((name): PluginName => {
    return { name, folder: process.cwd(), problem: { path: `--plugin ${name}` } }
  })
  const graphs = [...words.positional, ...words.all('resume')].flatMap(graphOf)
  const names = [...stated, ...graphs.flatMap(file => pluginsOf(file))]
  return names.length === 0 ? Promise.resolve(registry) : withPlugins(registry, names)
}

/** The graph file that a word names: itself, or the one that a run directory was made with. */
function graphOf(word: string): string[] {
  if (word.endsWith('.json')) return [word]
  const manifest = join(word, 'manifest.json')
  if (!existsSync(manifest)) return []
  const { graph } = JSON.parse(readFileSync(manifest, 'utf8'))
  return typeof graph === 'string' ? [graph] : []
}

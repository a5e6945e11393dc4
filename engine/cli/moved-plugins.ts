// Modules of a run's plugins that are no longer where they were: `--plugin` names where they are now.
import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { locate, type PluginName } from '../graph/plugins.ts'

/** A plugin of the command line, as the manifest of a run keeps it. */
export interface StoredPlugin extends Pick<PluginName, 'name' | 'folder'> {
  /** The place of the module that it was before. */
  readonly instead?: string
}

/** The path of a plugin's module, also of one that is gone. */
export function modulePlace({ name, folder }: StoredPlugin): string {
  try {
    return fileURLToPath(locate(name, folder))
  } catch {
    return resolve(folder, name)
  }
}

/** The plugins but those in whose place another one is loaded. */
export function withoutReplaced<P extends StoredPlugin>(
  plugins: readonly P[],
  others: readonly StoredPlugin[],
): P[] {
  const replaced = new Set(others.flatMap(({ instead }) => instead ?? []))
  return plugins.filter(plugin => !replaced.has(modulePlace(plugin)))
}

/**
 * The stated plugins that are modules of a run at a new place, each with the place that it had. A module that is gone is the
 * stated one of the same file name, or else the only one that is left.
 */
export function movedPlugins(
  ofRun: readonly StoredPlugin[],
  stated: readonly StoredPlugin[],
): Required<StoredPlugin>[] {
  const gone = new Set(ofRun.map(modulePlace).filter(path => !existsSync(path)))
  const free = new Set(stated.filter(plugin => existsSync(modulePlace(plugin))))
  const moved: Required<StoredPlugin>[] = []
  const pair = (instead: string, plugin: StoredPlugin | undefined) => {
    if (!plugin) return
    moved.push({ ...plugin, instead })
    gone.delete(instead)
    free.delete(plugin)
  }
  for (const path of gone)
    pair(
      path,
      [...free].find(one => basename(modulePlace(one)) === basename(path)),
    )
  for (const path of gone) if (gone.size === 1 && free.size === 1) pair(path, [...free][0])
  return moved
}

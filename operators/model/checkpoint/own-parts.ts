// Which parts of a model come from plugins: a checkpoint folder says it beside its config.json, so that it is never read without them.
import { pluginOf } from '../../../engine/graph/part-plugins.ts'
import { existsSync } from '../../../engine/platform/files.ts'
import { join } from '../../../engine/platform/paths.ts'
import { isObject, readJsonObject } from '../../../engine/shared/json.ts'
import { replaceFile } from '../../../engine/shared/replace-file.ts'
import { CheckpointError } from '../files/checkpoint-error.ts'

/** A part from a plugin. */
export interface OwnPart {
  /** The table of parts that holds it. */
  readonly table: 'towers' | 'connectors' | 'languages' | 'architectures'
  readonly name: string
  /** What `--plugin` takes. */
  readonly plugin: string
}

/** The file in a checkpoint folder. */
const partsName = 'parts.json'

/** The part as one from a plugin; none if it is flow's own. */
export function ownPart(table: OwnPart['table'], name: string, part: object): OwnPart[] {
  const plugin = pluginOf(part)
  return plugin === undefined ? [] : [{ table, name, plugin }]
}

/** Leaves in a checkpoint folder which of its parts come from plugins. */
export function writeOwnParts(folder: string, parts: readonly OwnPart[] | undefined): void {
  if (parts) replaceFile(join(folder, partsName), `${JSON.stringify({ parts }, undefined, 2)}\n`)
}

/** Throws where a checkpoint was written with a part that no loaded plugin has. */
export function refuseWithoutParts(
  folder: string,
  tables: Readonly<Record<OwnPart['table'], ReadonlyMap<string, unknown>>>,
): void {
  for (const { table, name, plugin } of readOwnParts(folder)) {
    if (tables[table].has(name)) continue
    const message = `${folder}: was written with "${name}" among the ${table}, which the plugin ${plugin} has and no loaded one does: add --plugin ${plugin}, or ${JSON.stringify(plugin)} to "plugins" of the graph`
    throw new CheckpointError({ code: 'unsupported-model', message })
  }
}

function readOwnParts(folder: string): OwnPart[] {
  const path = join(folder, partsName)
  if (!existsSync(path)) return []
  const { parts } = readJsonObject(path)
  if (Array.isArray(parts) && parts.every(isOwnPart)) return parts
  const message = `${path}: must hold "parts", each with table, name and plugin; delete it if flow did not write it`
  throw new CheckpointError({ code: 'bad-config', message })
}

const isOwnPart = (value: unknown): value is OwnPart =>
  isObject(value) &&
  ['towers', 'connectors', 'languages', 'architectures'].some(table => table === value.table) &&
  typeof value.name === 'string' &&
  typeof value.plugin === 'string'

import { join } from 'node:path'
import { makeFolder } from '../../../engine/shared/files.ts'
import { replaceFile } from '../../../engine/shared/replace-file.ts'
import { type Recipe, readIfWhole } from './store.ts'

/** Where the results come from, besides their recipe: of the run that wrote the report. */
export interface Origin {
  /** Folder of the benchmark. */
  data: string | null
  /** Version of flow. */
  version: string | null
  commit: string | null
  /** The GPU; null where no model ran. */
  adapter: string | null
  date: string | null
}

/** Origin and the fields of the recipe that name the model, as a report shows them. */
export interface Provenance extends Origin {
  model: string | null
  /** Of the model's weights. */
  digest: string | null
  profile: string | null
}

export const noOrigin: Origin = { data: null, version: null, commit: null, adapter: null, date: null }

const name = 'origin.json'

export function writeOrigin(folder: string, origin: Origin): void {
  makeFolder(folder)
  replaceFile(join(folder, name), `${JSON.stringify(origin, null, 2)}\n`)
}

/** The origin as far as the folder tells it. */
export function readOrigin(folder: string): Origin {
  const stored = readIfWhole(join(folder, name)) ?? {}
  const { data, version, commit, adapter, date } = stored
  return {
    data: textOrNull(data),
    version: textOrNull(version),
    commit: textOrNull(commit),
    adapter: textOrNull(adapter),
    date: textOrNull(date),
  }
}

/** Where no model answered, the recipe says who did. */
export function provenanceOf(recipe: Recipe, origin: Origin): Provenance {
  const { answers, model, weights, profile } = recipe
  const isModel = answers === undefined || answers === 'model'
  return {
    model: textOrNull(isModel ? model : answers),
    digest: textOrNull(weights),
    profile: textOrNull(profile),
    ...origin,
  }
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null)

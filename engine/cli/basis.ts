// What a run depends on in addition to its graph: the data, models and plugins that it reads. A resumed run must find them as they
// were, or its results are those of neither. Files are compared by size and content, clips by size.
import { type Dirent, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import type { Plan } from '../graph/plan.ts'
import { pluginsOf } from '../graph/plugins.ts'
import { contentOf } from '../shared/content.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import { replaceFile } from '../shared/replace-file.ts'
import type { StoredPlugin } from './plug.ts'

/** By absolute path: size and digest, or the size alone. */
type Basis = Map<string, string>

const basisFile = 'basis.json'
/** Files that are followed; of more, the first. */
const mostFiles = 50_000
/** A larger table is compared by its content alone, without the clips that it names. */
const largestTable = 2 ** 28
/** Files that hold rows, which name clips. */
const isTable = (path: string): boolean => ['.jsonl', '.json'].includes(extname(path))
/** Compared by size: there are many, and they are long. */
const media = new Set(['.mp4', '.mkv', '.webm', '.avi', '.mov', '.gif', '.wav', '.mp3', '.jpg', '.png'])

/** Records what a new run depends on. */
export function keepBasis(directory: string, plan: Plan, plugins: readonly StoredPlugin[]): void {
  if (!plan.checkpoint) return
  const basis = Object.fromEntries(basisOf(plan, plugins))
  replaceFile(join(directory, basisFile), `${JSON.stringify(basis, null, 1)}\n`)
}

/** The absolute paths that a run read when it began. */
export const basisPaths = (directory: string): string[] => Object.keys(basisOfRun(directory))

/** Size and digest of what a run read, by absolute path; empty for a run without checkpoints. */
export function basisOfRun(directory: string): Record<string, unknown> {
  const path = join(directory, basisFile)
  return existsSync(path) ? readJsonObject(path) : {}
}

/**
 * What is not as it was when the run began, one a line; `placeNow` says where a file of that time is looked for. A run of an
 * older version of flow has nothing to compare with.
 */
export function changesOf(directory: string, placeNow: (path: string) => string): string[] {
  return Object.entries(basisOfRun(directory)).flatMap(([file, before]) => {
    const place = placeNow(file)
    const now = describe(place, typeof before === 'string' && before.includes(','))
    return now === before ? [] : [`${file} was ${before}, is ${now}${place === file ? '' : ` at ${place}`}`]
  })
}

function describe(path: string, withContent: boolean): string {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) return 'not a file'
    return withContent ? contentOf(path) : `${stat.size} bytes`
  } catch {
    return 'missing'
  }
}

function basisOf(plan: Plan, plugins: readonly StoredPlugin[]): Basis {
  const basis: Basis = new Map()
  // nodes with inputs read what the run itself writes
  const readers = [...plan.resources, ...plan.nodes.filter(({ wires }) => wires.length === 0)]
  for (const { config } of readers) {
    const paths = textsIn(config).filter(text => text !== '' && existsSync(text))
    const folders = paths.filter(isFolder)
    for (const path of paths) {
      if (isFolder(path)) addFolder(basis, path)
      else add(basis, path)
      if (isTable(path)) addClips(basis, path, [dirname(path), ...folders])
    }
  }
  for (const { name, folder } of [...plugins, ...pluginsOf(plan.file)]) {
    const path = resolve(folder, name)
    if (existsSync(path) && !isFolder(path)) add(basis, path)
  }
  return basis
}

function add(basis: Basis, path: string, withContent = !media.has(extname(path))): void {
  if (basis.size < mostFiles) basis.set(resolve(path), describe(path, withContent))
}

/** All files of a folder; those of folders within it by size. */
function addFolder(basis: Basis, folder: string): void {
  const open = [folder]
  for (const place of open) {
    for (const entry of entriesOf(place)) {
      const path = join(place, entry.name)
      if (basis.size >= mostFiles) return
      if (entry.isDirectory()) open.push(path)
      else if (place === folder) add(basis, path)
      else add(basis, path, false)
    }
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

/** The clips that the rows of a table name, from one of the folders. */
function addClips(basis: Basis, table: string, folders: readonly string[]): void {
  if (statSync(table).size > largestTable) return
  for (const line of readFileSync(table, 'utf8').split('\n')) {
    for (const text of textsIn(parsed(line))) {
      if (!media.has(extname(text).toLowerCase())) continue
      const path = folders.map(folder => resolve(folder, text)).find(path => existsSync(path))
      if (path !== undefined) add(basis, path, false)
    }
  }
}

/** The texts in a value, at any depth. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  return isObject(value) ? Object.values(value).flatMap(textsIn) : []
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const isFolder = (path: string): boolean => statSync(path).isDirectory()

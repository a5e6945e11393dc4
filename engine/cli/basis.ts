// What a run depends on in addition to its graph: the data, models and plugins that it reads. A resumed run must find them as they
// were, or its results are those of neither. Files are compared by size and content; of long ones and of clips, parts of it.
import { type Dirent, existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path'
import { isVideo } from '../../operators/files/video-extensions.ts'
import type { Plan, PlannedNode, PlannedResource } from '../graph/plan.ts'
import { pluginsOf } from '../graph/plugins.ts'
import { contentOf } from '../shared/content.ts'
import { notAFile } from '../shared/files.ts'
import { isInside } from '../shared/inside.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import { replaceFile } from '../shared/replace-file.ts'
import { modulePlace, type StoredPlugin, withoutReplaced } from './moved-plugins.ts'
import { modulesOf } from './plugin-modules.ts'
import { runLockName } from './run-lock.ts'

/** By absolute path: size and digest, or what is there instead of a file. */
type Basis = Map<string, string>

const basisFile = 'basis.json'
/** Files that are followed; of more, the first. */
const mostFiles = 50_000
/** A larger table is compared by its content alone, without the clips that it names. */
const largestTable = 2 ** 28
/** Files that hold rows, which name clips. */
const isTable = (path: string): boolean =>
  ['.jsonl', '.json', '.csv', '.tsv'].includes(extname(path).toLowerCase())
const pictures = new Set(['.jpg', '.jpeg', '.png', '.webp', '.bmp', '.wav', '.mp3'])
/** There are many of them, and they are long. */
const isMedia = (path: string): boolean => isVideo(path) || pictures.has(extname(path).toLowerCase())

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
    // an earlier flow compared clips by their size
    const now = /^\d+ bytes$/.test(String(before)) ? describe(place).split(',', 1).join() : describe(place)
    const was = typeof before === 'string' ? before : JSON.stringify(before)
    return now === before ? [] : [`${file} was ${was}, is ${now}${place === file ? '' : ` at ${place}`}`]
  })
}

function describe(path: string): string {
  try {
    if (!statSync(path).isFile()) return 'not a file'
    return contentOf(path, isMedia(path) ? 'media' : 'data')
  } catch {
    return 'missing'
  }
}

function basisOf(plan: Plan, plugins: readonly StoredPlugin[]): Basis {
  const basis: Basis = new Map()
  for (const part of [...plan.resources, ...plan.nodes]) {
    const paths = readBy(part).filter(text => existsSync(text))
    const folders = paths.filter(isFolder)
    const files = paths.filter(path => !isFolder(path))
    const tables = files.filter(isReadable)
    for (const path of files) add(basis, path)
    // beside a file of rows a folder is where its clips lie, among whatever else
    const isOfData = files.length === 0 ? () => true : tables.length === 0 ? isMedia : isNamedIn(tables)
    for (const folder of folders) addFolder(basis, folder, isOfData)
    for (const table of tables) addClips(basis, table, [dirname(table), ...folders])
  }
  for (const plugin of withoutReplaced([...plugins, ...pluginsOf(plan.file)], plugins))
    for (const path of modulesOf(modulePlace(plugin))) add(basis, path)
  return basis
}

/** The texts of a config but those of fields at whose paths the run itself writes. */
function readBy(part: PlannedNode | PlannedResource): string[] {
  const { config: fields } = 'operator' in part ? part.operator : part.resource
  return Object.entries(part.config).flatMap(([name, value]) => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    return field?.type === 'string' && field.writes ? [] : textsIn(value).filter(text => text !== '')
  })
}

function add(basis: Basis, path: string): void {
  if (basis.size < mostFiles) basis.set(resolve(path), describe(path))
}

/** The files of data in a folder and in those within it, links followed, but not those of this or another run. */
function addFolder(basis: Basis, folder: string, isOfData: (path: string) => boolean): void {
  if (isAbove(folder)) return // a text that happens to name such a folder is no data
  const open = [folder]
  const seen = new Set<string>()
  for (const place of open) {
    const real = realpathSync(place)
    if (seen.has(real) || isOfRun(place)) continue
    seen.add(real)
    for (const { name } of entriesOf(place)) {
      const path = join(place, name)
      if (basis.size >= mostFiles) return
      if (skipped.has(name) || !existsSync(path)) continue
      if (isFolder(path)) open.push(path)
      else if (isOfData(relative(folder, path))) add(basis, path)
    }
  }
}

const skipped = new Set(['node_modules', '.git'])

const withEnd = (path: string): string => (path.endsWith(sep) ? path : path + sep)

/** A folder above the working directory. */
const isAbove = (folder: string): boolean =>
  withEnd(dirname(realpathSync(process.cwd()))).startsWith(withEnd(realpathSync(folder)))

/** A run that has just begun has only its lock. */
const isOfRun = (folder: string): boolean =>
  existsSync(join(folder, runLockName)) ||
  ['manifest.json', 'log.txt'].every(name => existsSync(join(folder, name)))

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

const isReadable = (path: string): boolean =>
  isTable(path) && notAFile(path) === undefined && statSync(path).size <= largestTable

/** The words of a table; some of them are names of clips. */
const wordsOf = (table: string): string[] => readFileSync(table, 'utf8').split(/["',;\t\r\n]/)

/** A file whose name, or that of a folder around it, is a word of a table, with or without its folder and its ending. */
function isNamedIn(tables: readonly string[]): (path: string) => boolean {
  const stem = (name: string) => basename(name, extname(name))
  const named = new Set(tables.flatMap(wordsOf).map(stem))
  return path => isMedia(path) && path.split(sep).some(step => named.has(stem(step)))
}

/** The clips inside one of the folders that the rows of a table name. */
function addClips(basis: Basis, table: string, folders: readonly string[]): void {
  const names = new Set(wordsOf(table).filter(isMedia))
  for (const name of names) {
    if (basis.size >= mostFiles) return
    const places = isInside(name) ? folders.map(folder => resolve(folder, name)) : []
    const path = places.find(path => existsSync(path))
    if (path === undefined) continue
    if (isFolder(path)) for (const entry of entriesOf(path)) add(basis, join(path, entry.name))
    else add(basis, path)
  }
}

/** The texts in a value, at any depth. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (Array.isArray(value)) return value.flatMap(textsIn)
  return isObject(value) ? Object.values(value).flatMap(textsIn) : []
}

const isFolder = (path: string): boolean => statSync(path).isDirectory()

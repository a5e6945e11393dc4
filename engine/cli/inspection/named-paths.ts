import { existsSync, lstatSync, mkdtempSync, readlinkSync, rmdirSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { BuiltinError, cacheFolder, resolvePath } from '../../../operators/builtin.ts'
import { isOffline } from '../../../operators/hub/fetch-repository.ts'
import { hubCache, hubVariable } from '../../../operators/hub/hub-cache.ts'
import { HubError } from '../../../operators/hub/hub-error.ts'
import type { LookAt } from '../../graph/inspect.ts'
import { nearBy } from '../../graph/missing-file.ts'
import { codeOf, messageOf, reasonOf } from '../../shared/errors.ts'

/** Looks at the paths in a config: those that are read must be there, and those that are written must be writable. */
export const lookAtPath: LookAt = (name, field, value) => {
  if (field.type !== 'string' || value === '') return undefined
  if (field.reads) return readable(value, field.reads)
  if (field.writes) return unwritable(value, name === 'folder' ? 'folder' : 'file')
  return undefined
}

function readable(value: string, kind: 'model' | 'data'): ReturnType<LookAt> {
  const rule = kind === 'model' ? 'must name a model that is there' : 'must name data that is there'
  try {
    const path = resolvePath(value, kind)
    if (existsSync(path)) return undefined
    const wanted = kind === 'model' ? 'a checkpoint folder or OWNER/NAME on the hub' : 'a file or folder'
    const remedy = `give the path of ${wanted}, seen from the working directory`
    return { rule, lines: [`${path}: ${whyAbsent(path)}`], code: 'missing-file', remedy }
  } catch (error) {
    if (error instanceof BuiltinError && error.code === 'no-builtin')
      return (
        cacheFault(rule, cacheFolder(), 'FLOW_CACHE', 'made in') ??
        `${value}: the first run that names it makes it`
      )
    const faulty = { rule, lines: [messageOf(error)], code: codeOf(error) ?? 'failed' }
    if (error instanceof BuiltinError) return { ...faulty, remedy: 'write one of the names that there are' }
    if (!(error instanceof HubError)) throw error
    const remedy = 'put it into the cache with huggingface-cli download, or unset HF_HUB_OFFLINE'
    if (error.code !== 'hub-missing') return { ...faulty, remedy: 'write OWNER/NAME, or hf:OWNER/NAME/PATH' }
    const noCache = cacheFault(rule, hubCache(), hubVariable(), 'downloaded into')
    if (noCache) return noCache
    if (isOffline(process.env))
      return { ...faulty, lines: [`${value}: not in the cache, and HF_HUB_OFFLINE is set`], remedy }
    const isFile = value.startsWith('hf:')
    const what = isFile ? 'its rows' : 'its files, what they hold, and the memory that they take'
    const near = isFile ? '' : `no path here${nearPath(value)}, and `
    return `${value}: ${near}not in the cache of the Hugging Face hub. flow run downloads it; until then nobody knows whether it exists, ${what}`
  }
}

/** Says that nothing is at a path, or why the path cannot be reached. */
const whyAbsent = (path: string): string => whyUnreachable(path) ?? `not there${nearPath(path)}`

/** What is wrong with a path at which nothing can be found; undefined where simply nothing is. */
function whyUnreachable(path: string): string | undefined {
  try {
    statSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return undefined // a folder above is a file: that is told of it
    if (codeOf(error) !== 'ENOENT') return reasonOf(error)
    if (lstatSync(path, { throwIfNoEntry: false })) return `a link to ${readlinkSync(path)}, where nothing is`
  }
  return undefined
}

/** What keeps a run from making or downloading data into the cache that a variable of the environment names. */
function cacheFault(rule: string, folder: string, variable: string, how: string): ReturnType<LookAt> {
  // the check of the variables tells it
  if (variable === 'FLOW_CACHE' && fileAbove(folder) !== undefined) return 'later'
  const fault = unwritable(folder, 'folder')
  if (typeof fault !== 'object') return undefined
  const lines = fault.lines.map(line => `it is ${how} the cache, ${variable}: ${line}`)
  return { ...fault, rule, lines, remedy: `set ${variable} to a folder that you may write to` }
}

/** The file at a path, or at one of the folders above it; undefined where all of these can be folders. */
export function fileAbove(path: string): string | undefined {
  let found = resolve(path)
  while (!existsSync(found)) found = dirname(found)
  return statSync(found).isDirectory() ? undefined : found
}

/** The name beside it that was most likely meant. */
export function nearPath(path: string): string {
  if (path.startsWith('~/'))
    return `: only a shell knows ~, and only where a word begins: write $HOME${path.slice(1)}`
  const folder = dirname(resolve(path))
  if (!existsSync(folder)) return `, nor is ${folder}`
  const near = nearBy(path)
  return near === undefined ? '' : `, nearest "${near}" in ${folder}`
}

/** What keeps a run from writing at a path; a folder of this process's own is made beside it and removed. */
export function unwritable(path: string, what: 'file' | 'folder'): ReturnType<LookAt> {
  const wrong = (place: string, found: string, remedy: string): ReturnType<LookAt> => {
    const rule = `must be a ${what} that can be written`
    return { rule, lines: [`${place}: ${found}`], code: 'not-writable', remedy }
  }
  const isHere = existsSync(path)
  if (isHere && statSync(path).isDirectory() !== (what === 'folder'))
    return wrong(path, `is a ${what === 'file' ? 'folder' : 'file'}`, 'name another path')
  let folder = resolve(isHere && what === 'folder' ? path : dirname(resolve(path)))
  const hidden = isHere ? undefined : whyUnreachable(path)
  if (hidden !== undefined) return wrong(path, hidden, 'name another path')
  while (!existsSync(folder)) {
    const reason = whyUnreachable(folder)
    if (reason !== undefined) return wrong(folder, reason, 'name another path')
    folder = dirname(folder)
  }
  if (!statSync(folder).isDirectory())
    return wrong(folder, 'is a file, so no folder can be in it', 'name another path')
  try {
    rmdirSync(mkdtempSync(join(folder, '.flow-check-')))
  } catch (error) {
    return wrong(
      folder,
      `nothing can be made in it: ${reasonOf(error)}`,
      'name a folder that you may write to',
    )
  }
  return undefined
}

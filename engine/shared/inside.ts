import { realpathSync, statSync } from '../platform/files.ts'
import { isAbsolute, join, posix, relative, sep, win32 } from '../platform/paths.ts'
import { CodedError } from './errors.ts'
import { makeFolder } from './files.ts'

/**
 * The path of a file that data names inside a folder: `folder` joined with `name`. Throws `path-outside` when the name would
 * leave the folder, is a path of its own, or is the address of something else (`https:`, `data:`). Links inside the folder
 * may lead elsewhere: who made the folder made them too.
 */
export function inside(folder: string, name: unknown, named = 'a file name'): string {
  if (isInside(name)) return join(folder, name)
  const fault = faultOf(name)
  const shown = String(JSON.stringify(name)).slice(0, 200)
  throw new CodedError(
    'path-outside',
    `${folder}: ${named} must name a file inside this folder, found ${shown}, ${fault}`,
  )
}

/** Whether data names a file inside its folder. */
export const isInside = (name: unknown): name is string => faultOf(name) === undefined

/**
 * The path of a file that a folder from elsewhere names inside itself, if there is one. Its content is to be copied or
 * shown, so links that lead out of the folder are not followed.
 */
export function fileInside(folder: string, name: string, named?: string): string | undefined {
  const path = inside(folder, name, named)
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
  return isFile && leadsInto(folder, path) ? path : undefined
}

/** A folder that lies in another one, made if it is missing; refused where it is a link that leads elsewhere. */
export function folderInside(folder: string, name: string): string {
  const path = inside(folder, name)
  makeFolder(path)
  if (leadsInto(folder, path)) return path
  throw new CodedError(
    'path-outside',
    `${path}: must lie in its folder, found a link to ${realpathSync(path)}`,
  )
}

/** Whether a path that is there is in a folder, all links followed. */
export function leadsInto(folder: string, path: string): boolean {
  const way = relative(realpathSync(folder), realpathSync(path))
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

function faultOf(name: unknown): string | undefined {
  if (typeof name !== 'string') return 'which is not a text'
  if (name === '') return 'which names nothing'
  if (name.includes('\0')) return 'which holds a zero character'
  if (isAbsolute(name) || posix.isAbsolute(name) || win32.isAbsolute(name)) return 'which starts at a root'
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) return 'which is an address'
  const parts = name.split(/[/\\]/)
  let depth = 0
  for (const part of parts) {
    if (part === '..') depth--
    else if (part !== '' && part !== '.') depth++
    if (depth < 0) return 'which leaves it'
  }
  return depth === 0 ? 'which is the folder itself' : undefined
}

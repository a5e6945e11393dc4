import { isAbsolute, join, posix, win32 } from 'node:path'
import { CodedError } from './errors.ts'

/**
 * The path of a file that data names inside a folder: `folder` joined with `name`. Throws `path-outside` when the name would
 * leave the folder, is a path of its own, or is the address of something else (`https:`, `data:`). Links inside the folder
 * may lead elsewhere: who made the folder made them too.
 */
export function inside(folder: string, name: string, named = 'a file name'): string {
  const fault = faultOf(name)
  if (fault === undefined) return join(folder, name)
  throw new CodedError(
    'path-outside',
    `${folder}: ${named} must name a file inside this folder, found ${JSON.stringify(name.slice(0, 200))}, ${fault}`,
  )
}

/** Whether data names a file inside its folder. */
export const isInside = (name: string): boolean => faultOf(name) === undefined

function faultOf(name: string): string | undefined {
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

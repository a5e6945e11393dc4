import { existsSync, readdirSync, readFileSync } from '../platform/files.ts'
import { basename, dirname, join, resolve } from '../platform/paths.ts'
import { codeOf, reasonOf } from '../shared/errors.ts'
import { refuseUnlessFile } from '../shared/files.ts'
import { fileInside, isInside } from '../shared/inside.ts'
import { packageFolder } from '../shared/package-folder.ts'
import { nearest } from './did-you-mean.ts'
import type { Problem } from './problem.ts'

/** Of a path in the package; a file system refuses to look for much longer ones. */
const longestName = 100

/** Shorter names are near too many others. */
const shortest = 5

/** The text of a graph file. */
export function readGraphFile(path: string): string {
  refuseUnlessFile(path)
  return readFileSync(path, 'utf8')
}

/** The problem of a graph file that could not be read. */
export function unreadable(file: string, error: unknown): Problem {
  const { why, nearest } = whyUnread(file, error)
  const meant = nearest === undefined ? shippedAs(file) : join(dirname(file), nearest)
  return {
    code: 'unreadable-file',
    path: file,
    rule: 'must be a file that can be read',
    found: why,
    ...(meant !== undefined && { remedy: `write "${meant}"` }),
  }
}

/** Why a file could not be read, in words; of one that is not there, the file beside it that was most likely meant. */
export function whyUnread(file: string, error: unknown): { why: string; nearest?: string } {
  if (codeOf(error) === 'EISDIR') return { why: 'a folder' }
  if (codeOf(error) !== 'ENOENT') return { why: reasonOf(error) }
  const folder = dirname(resolve(file))
  if (!existsSync(folder)) return { why: `no folder ${folder}` }
  const close = nearBy(file)
  return {
    why: `no such file${close === undefined ? '' : `, nearest "${close}"`}`,
    ...(close !== undefined && { nearest: close }),
  }
}

/** The name beside a path that is not there which was most likely meant. */
export function nearBy(path: string): string | undefined {
  const folder = dirname(resolve(path))
  const name = basename(path)
  if (name.length < shortest || !existsSync(folder)) return undefined
  return nearest(name, readdirSync(folder).slice(0, 1000))
}

/** The shipped graph that a path means which is not there: `flow:eval/own.json` for `graphs/eval/own.json`. */
export function shippedAs(path: string): string | undefined {
  const name = path.replace(/^(\.\/)*(graphs\/)?/, '')
  const folder = join(packageFolder, 'graphs')
  const within = path.startsWith(folder) ? path.slice(folder.length + 1) : name
  return [within, `${within}.json`]
    .filter(each => isInside(each) && each.length <= longestName && fileInside(folder, each) !== undefined)
    .map(each => `flow:${each}`)[0]
}

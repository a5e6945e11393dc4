import { readFileSync } from '../platform/files.ts'
import { CodedError, codeOf, reasonOf } from './errors.ts'
import { notAFile } from './files.ts'
import { isObject } from './is-object.ts'

export { isObject } from './is-object.ts'

/** Whether JSON keeps a value as it is: no undefined, no class, no number that JSON has not. */
export function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (Array.isArray(value)) return Array.from(value).every(isJson)
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return false
  return Object.getOwnPropertySymbols(value).length === 0 && Object.values(value).every(isJson)
}

/** A number or object that JSON cannot hold as it is, and its place in the value around it. */
export interface NotInJson {
  /** As in JavaScript, e.g. `scores[2].mean`; empty for the value itself. */
  readonly path: string
  readonly found: string
}

/** The first place where JSON would lose what a value holds: NaN becomes null, a typed array an object of numbers. */
export function notInJson(value: unknown, path = ''): NotInJson | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, found: String(value) }
  if (typeof value !== 'object')
    return { path, found: value === undefined ? 'undefined' : `a ${typeof value}` }
  if ('toJSON' in value) return undefined
  if (ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set)
    return { path, found: `a ${value.constructor.name}` }
  for (const [key, one] of Array.isArray(value) ? value.entries() : Object.entries(value)) {
    // JSON leaves such a field out, as JavaScript does in most places
    if (one === undefined && typeof key === 'string') continue
    const at = typeof key === 'number' ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`
    const found = notInJson(one, at)
    if (found) return found
  }
  return undefined
}

/** A text without the byte-order mark that some editors put before it. */
export const withoutMark = (text: string): string => text.replace(/^\ufeff/, '')

export type JsonFileCode = 'missing-file' | 'unreadable-file' | 'torn-file'

/**
 * The object in a JSON file that a program wrote with `replaceFile`. A file that holds anything else was damaged after
 * it was written, e.g. by a power cut or a full disk: the error `torn-file` names it.
 */
export function readJsonObject(path: string): Record<string, unknown> {
  const fault = notAFile(path)
  if (fault !== undefined) throw new CodedError<JsonFileCode>('unreadable-file', fault)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const missing = codeOf(error) === 'ENOENT'
    throw new CodedError<JsonFileCode>(
      missing ? 'missing-file' : 'unreadable-file',
      missing ? `${path}: no such file` : `${path}: cannot be read: ${reasonOf(error)}`,
      { cause: error },
    )
  }
  const value = parse(text)
  if (isObject(value)) return value
  const found = text === '' ? 'nothing' : `${text.length} characters that are not one`
  throw new CodedError<JsonFileCode>('torn-file', `${path}: must hold a JSON object, found ${found}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

import { readFileSync } from '../platform/files.ts'
import { CodedError, codeOf, messageOf } from './errors.ts'
import { notAFile } from './files.ts'

/** A JSON object: neither null nor a list. */
export function isObject(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether JSON keeps a value as it is: no undefined, no class, no number that JSON has not. */
export function isJson(value: unknown): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0)
  if (Array.isArray(value)) return Array.from(value).every(isJson)
  if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return false
  return Object.getOwnPropertySymbols(value).length === 0 && Object.values(value).every(isJson)
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
      missing ? `${path}: no such file` : `${path}: cannot be read: ${messageOf(error)}`,
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

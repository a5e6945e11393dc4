import { isDeepStrictEqual } from 'node:util'
import { isObject } from '../shared/json.ts'

/** A path at which two values differ; the side that has no value there is undefined. */
export interface Difference {
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

/** Where two JSON values differ, key by key; lists are compared as a whole. */
export function differences(before: unknown, after: unknown, path = ''): Difference[] {
  if (!isObject(before) || !isObject(after))
    return isDeepStrictEqual(before, after) ? [] : [{ path, before, after }]
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return keys.flatMap(key => differences(before[key], after[key], path === '' ? key : `${path}.${key}`))
}

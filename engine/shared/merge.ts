import { isObject } from './is-object.ts'

/** A value with changes merged into it (RFC 7396): objects are merged, other values replaced, `null` removes a key. */
export function merge(base: unknown, changes: unknown): unknown {
  if (!isObject(changes)) return changes
  const merged = new Map(Object.entries(object(base)))
  for (const [key, change] of Object.entries(changes)) {
    if (change === null) merged.delete(key)
    else merged.set(key, merge(merged.get(key), change))
  }
  return Object.fromEntries(merged)
}

export const object = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {})

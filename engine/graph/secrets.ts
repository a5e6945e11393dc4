import { isObject } from '../shared/json.ts'

/** Values from the environment, each with the text that replaces it: `${env:NAME}`. */
export type Secrets = ReadonlyMap<string, string>

/** Shorter values occur in texts by chance, so they are not hidden. */
const shortest = 4

/** The text with the names of variables in place of their values. */
export function hide(text: string, secrets: Secrets): string {
  let hidden = text
  for (const [value, name] of secrets) if (value.length >= shortest) hidden = hidden.replaceAll(value, name)
  return hidden
}

/** The same in all texts of a JSON value, keys included. */
export function hideIn<T>(value: T, secrets: Secrets): T {
  if (secrets.size === 0) return value
  // texts stay texts, lists lists and objects objects
  return hidden(value, secrets) as T
}

function hidden(value: unknown, secrets: Secrets): unknown {
  if (typeof value === 'string') return hide(value, secrets)
  if (Array.isArray(value)) return value.map(item => hidden(item, secrets))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [hide(key, secrets), hidden(item, secrets)]),
  )
}

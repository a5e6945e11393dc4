import type { Schema } from './schema.ts'

/**
 * A value that was given as text (by `--set`, the environment, or a param in a string), as the type that its place asks
 * for. A text that cannot be read as that type stays as it is: validation reports it.
 */
export function coerce(value: unknown, schema: Schema | undefined): unknown {
  const types = typesOf(schema)
  if (types.length === 0 || types.includes(typeOf(value))) return value
  if (types.includes('number') && typeof value === 'number') return value
  if (typeof value !== 'string') return types.includes('string') && isScalar(value) ? String(value) : value
  for (const type of types) {
    const read = readers[type]?.(value)
    if (read !== undefined) return read
  }
  return value
}

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  boolean: text => (text === 'true' ? true : text === 'false' ? false : undefined),
  integer: text => (Number.isInteger(numberOf(text)) ? numberOf(text) : undefined),
  number: text => numberOf(text),
  array: text => jsonOf(text, Array.isArray),
  object: text => jsonOf(text, value => typeOf(value) === 'object'),
}

/** JSON Schema's name for the type of a value. */
export function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function typesOf(schema: Schema | undefined): readonly string[] {
  const type = schema?.type
  if (type === undefined) return []
  return typeof type === 'string' ? [type] : type
}

const isScalar = (value: unknown) => typeof value === 'number' || typeof value === 'boolean'

function numberOf(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text))
    ? Number(text)
    : undefined
}

function jsonOf(text: string, fits: (value: unknown) => boolean): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return fits(value) ? value : undefined
  } catch {
    return undefined
  }
}

import { isObject } from '../../shared/json.ts'

/** Keywords that say something about values of one type only. */
const keywords: Readonly<Record<string, readonly string[]>> = {
  string: ['pattern'],
  number: ['minimum', 'exclusiveMinimum', 'maximum'],
  integer: ['minimum', 'exclusiveMinimum', 'maximum'],
  array: ['items', 'minItems'],
  object: [
    'properties',
    'additionalProperties',
    'propertyNames',
    'required',
    'minProperties',
    'maxProperties',
  ],
}
/** Keywords that hold schemas, alone, by name or in a list. */
const single = ['items', 'additionalProperties', 'propertyNames', 'if', 'then', 'else', 'not']
const named = ['properties']
const listed = ['allOf', 'anyOf']

type Json = Readonly<Record<string, unknown>>

/**
 * The same schema in the form that Ajv's strict mode accepts: one type for each schema, a type wherever a keyword needs
 * one, and a property for each name that is required.
 */
export function strictSchema(schema: Json): Json {
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, within(key, value)] as const),
  )
  const { type } = inner
  if (Array.isArray(type)) return oneOfTypes(inner, type)
  const isOfObjects = keywords.object?.some(key => key in inner) ?? false
  const whole = type === undefined && isOfObjects ? { type: 'object', ...inner } : inner
  return withRequired(whole)
}

function within(key: string, value: unknown): unknown {
  if (single.includes(key) && isObject(value)) return strictSchema(value)
  if (named.includes(key) && isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, isObject(each) ? strictSchema(each) : each]),
    )
  if (listed.includes(key) && Array.isArray(value))
    return value.map(each => (isObject(each) ? strictSchema(each) : each))
  return value
}

/** An `anyOf` with one schema for each type. Each schema gets the keywords that apply to its type. */
function oneOfTypes(
  { type: _, description, default: fallback, ...rules }: Json,
  types: readonly unknown[],
): Json {
  const ofTypes = Object.values(keywords).flat()
  const general = Object.entries(rules).filter(([key]) => !ofTypes.includes(key))
  const choices = types.map(type => {
    const own = keywords[String(type)] ?? []
    const kept = Object.entries(rules).filter(([key]) => own.includes(key))
    return withRequired({ type, ...Object.fromEntries(kept) })
  })
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    ...Object.fromEntries(general),
    anyOf: choices,
  }
}

function withRequired(schema: Json): Json {
  const { required } = schema
  if (!Array.isArray(required)) return schema
  const properties = isObject(schema.properties) ? schema.properties : {}
  const missing = required.filter(name => !Object.hasOwn(properties, String(name)))
  if (missing.length === 0) return schema
  return { ...schema, properties: { ...properties, ...Object.fromEntries(missing.map(name => [name, {}])) } }
}

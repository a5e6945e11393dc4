import type { Operator, Resource } from '../../operator.ts'
import type { Registry } from '../plan.ts'
import { graphSchema } from './graph-schema.ts'
import { configSchema, type Schema } from './schema.ts'
import { strictSchema } from './strict-schema.ts'

/**
 * The schema of graph files for editors: that of the engine, and for each operator and resource the fields of its
 * config. A string `${name}` is allowed in place of any value that a param may give. A file that extends another may
 * leave everything out, and may say null.
 */
export function publishedSchema({ operators, resources }: Registry): object {
  const { properties: stated = {}, required, ...rules } = graphSchema
  const { nodes, resources: resourceMap, checkpoint, ...rest } = stated
  const node = withParams(childOf(nodes))
  const resource = withParams(childOf(resourceMap))
  const partsOf = (operator: object[], type: object[]) => ({
    nodes: { ...nodes, additionalProperties: { ...node, allOf: operator } },
    resources: { ...resourceMap, additionalProperties: { ...resource, allOf: type } },
  })
  const whole = {
    ...rest,
    ...(checkpoint && { checkpoint: withParams(checkpoint) }),
    ...partsOf(
      [choiceOf('operator', operators), ...configs('operator', operators)],
      [choiceOf('resource', resources), ...configs('resource', resources)],
    ),
  }
  const parts = partsOf([choiceOf('operator', operators)], [choiceOf('resource', resources)])
  return strictSchema({
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A graph of flow',
    ...rules,
    properties: Object.fromEntries(
      Object.entries(stated).map(([key, { description = '' }]) => [key, { description }]),
    ),
    if: { required: ['extends'] },
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
    then: { properties: mapSchemas({ ...whole, ...parts }, changesOf) },
    else: { required, properties: whole },
  })
}

/** The schema of the changes to a value that `schema` describes: any part may be left out, and null removes it. */
function changesOf(schema: Schema): Schema {
  const { description, ...rules } = schema
  return { ...(description !== undefined && { description }), anyOf: [partOf(rules), { type: 'null' }] }
}

function partOf(schema: Schema): Schema {
  const { properties, additionalProperties, anyOf, ...others } = schema
  const {
    required: _,
    if: __,
    then: ___,
    else: ____,
    default: _____,
    minProperties: ______,
    ...rules
  } = others
  return {
    ...rules,
    ...(properties && { properties: mapSchemas(properties, changesOf) }),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: changesOf(additionalProperties) }
      : additionalProperties !== undefined && { additionalProperties }),
    ...(anyOf && { anyOf: anyOf.map(partOf) }),
  }
}

const mapSchemas = (schemas: Readonly<Record<string, Schema>>, change: (schema: Schema) => Schema) =>
  Object.fromEntries(Object.entries(schemas).map(([key, schema]) => [key, change(schema)]))

function childOf(schema: Schema | undefined): Schema {
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : {}
}

/** Offers the names of all parts, though a param may give the name. */
function choiceOf(
  key: 'operator' | 'resource',
  parts: Registry['operators'] | Registry['resources'],
): Schema {
  const sorted = Object.entries<Operator | Resource>(parts).sort(([a], [b]) => (a < b ? -1 : 1))
  const choices = sorted.map(([name, { summary }]) => ({ const: name, description: summary }))
  return { properties: { [key]: { anyOf: [...choices, reference] } } }
}

/** One rule for each name: the fields of its config. */
function configs(
  key: 'operator' | 'resource',
  parts: Registry['operators'] | Registry['resources'],
): object[] {
  const sorted = Object.entries<Operator | Resource>(parts).sort(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([name, part]) => {
    const { summary, config } = part
    const { required, ...rest } = configSchema(config)
    const { properties = {}, ...others } = withParams(rest)
    const fields = mapSchemas(properties, orReference)
    const schema = {
      ...others,
      properties: fields,
      description: summary,
      ...(required?.length && { required }),
    }
    return {
      if: { required: [key], properties: { [key]: { const: name } } },
      // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
      then: {
        ...(required?.length && { required: ['config'] }),
        properties: { config: schema, ...('inputs' in part && { from: portsOf(part) }) },
      },
    }
  })
}

/** The inputs of an operator: their names, and what each takes. */
function portsOf({ inputs }: Operator): object {
  const ports = Object.entries(inputs).map(([port, details]) => {
    const { kind, description = '' } = typeof details === 'string' ? { kind: details } : details
    return [port, { description: [`kind ${kind}`, description].filter(Boolean).join('; ') }]
  })
  if (ports.length === 0) return { maxProperties: 0 }
  return { properties: Object.fromEntries(ports), propertyNames: { enum: ports.map(([port]) => port) } }
}

const reference = { type: 'string', pattern: '\\$\\{[^{}]+\\}' } as const

/** The same schema with `${name}` allowed in place of every number, boolean, choice and list. */
function withParams(schema: Schema): Schema {
  const { properties, items, additionalProperties, ...rules } = schema
  return {
    ...rules,
    ...(properties && {
      properties: mapSchemas(properties, leaf),
    }),
    ...(items && { items: leaf(items) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'object' ? leaf(additionalProperties) : additionalProperties,
    }),
  }
}

function leaf(schema: Schema): Schema {
  const inner = withParams(schema)
  const isFreeText = schema.type === 'string' && !schema.enum && !schema.pattern
  return isFreeText || schema.type === undefined || schema.type === 'object' ? inner : withReference(inner)
}

/** A field of a config that is an object: a param may give it, too. */
const orReference = (schema: Schema): Schema => (schema.type === 'object' ? withReference(schema) : schema)

function withReference(schema: Schema): Schema {
  const { description, default: fallback, ...rules } = schema
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    anyOf: [rules, reference],
  }
}

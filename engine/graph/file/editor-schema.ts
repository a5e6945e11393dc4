import type { Registry } from '../plan.ts'
import { configSchema, graphSchema, type Schema } from './schema.ts'

/**
 * The schema of graph files for editors: that of the engine, and for each operator and resource what its config may
 * hold. A string `${name}` is allowed wherever a param may stand.
 */
export function publishedSchema({ operators, resources }: Registry): object {
  const { nodes, resources: resourceMap, checkpoint, ...properties } = graphSchema.properties ?? {}
  const node = childOf(nodes)
  const resource = childOf(resourceMap)
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A graph of flow',
    ...graphSchema,
    properties: {
      ...properties,
      ...(checkpoint && { checkpoint: withParams(checkpoint) }),
      resources: {
        ...resourceMap,
        additionalProperties: { ...withParams(resource), allOf: configs('resource', resources) },
      },
      nodes: {
        ...nodes,
        additionalProperties: { ...withParams(node), allOf: configs('operator', operators) },
      },
    },
  }
}

function childOf(schema: Schema | undefined): Schema {
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : {}
}

/** One rule a name: when the part names it, its config is this. Names are offered, though a param may choose. */
function configs(
  key: 'operator' | 'resource',
  parts: Registry['operators'] | Registry['resources'],
): object[] {
  const names = Object.keys(parts).sort()
  // an empty `enum` is not a schema
  const choices = names.length > 0 ? [{ enum: names }, reference] : [reference]
  const choice = { properties: { [key]: { anyOf: choices } } }
  const rules = names.map(name => {
    const { summary, config } = parts[name]
    const { required, ...rest } = configSchema(config)
    const schema = { ...withParams(rest), description: summary, ...(required?.length && { required }) }
    return {
      if: { required: [key], properties: { [key]: { const: name } } },
      // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema.
      then: { ...(required?.length && { required: ['config'] }), properties: { config: schema } },
    }
  })
  return [choice, ...rules]
}

const reference = { type: 'string', pattern: '\\$\\{[^{}]+\\}' } as const

/** The same schema with a param allowed in place of every number, switch, choice and list. */
function withParams(schema: Schema): Schema {
  const { properties, items, additionalProperties, ...own } = schema
  const inner: Schema = {
    ...own,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, leaf(value)])),
    }),
    ...(items && { items: leaf(items) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'object' ? leaf(additionalProperties) : additionalProperties,
    }),
  }
  return inner
}

function leaf(schema: Schema): Schema {
  const inner = withParams(schema)
  const isFreeText = schema.type === 'string' && !schema.enum && !schema.pattern
  if (isFreeText || schema.type === undefined || schema.type === 'object') return inner
  const { description, default: fallback, ...rules } = inner
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    anyOf: [rules, reference],
  }
}

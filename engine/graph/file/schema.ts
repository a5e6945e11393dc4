import type { Fields } from '../../operator.ts'

/** The part of JSON Schema (draft 7) that we write. */
export interface Schema {
  type?: string | readonly string[]
  description?: string
  default?: unknown
  const?: unknown
  enum?: readonly unknown[]
  pattern?: string
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  minItems?: number
  minProperties?: number
  items?: Schema
  properties?: Readonly<Record<string, Schema>>
  additionalProperties?: boolean | Schema
  propertyNames?: Schema
  required?: readonly string[]
  if?: Schema
  then?: Schema
  else?: Schema
  allOf?: readonly Schema[]
  anyOf?: readonly Schema[]
}

/** The schema of a config: every field described, unknown ones refused, those without a default required. */
export function configSchema(fields: Fields): Schema {
  const entries = Object.entries(fields)
  return {
    type: 'object',
    additionalProperties: false,
    required: entries.filter(([, field]) => field.default === undefined).map(([key]) => key),
    properties: Object.fromEntries(entries.map(([key, field]) => [key, fieldSchema(field)])),
  }
}

function fieldSchema(field: Fields[string]): Schema {
  // these are ours, not JSON Schema's: who needs them reads them from the field itself
  const own = { resource: undefined, idle: undefined, reads: undefined, writes: undefined, when: undefined }
  const { resource: _, idle: __, reads: ___, writes: ____, when: _____, ...schema } = { ...own, ...field }
  return schema
}

/** The schema of the place at `path` below `schema`, or undefined where anything may stand. */
export function schemaAt(schema: Schema, path: readonly (string | number)[]): Schema | undefined {
  let here: Schema | undefined = schema
  for (const step of path) {
    if (typeof step === 'number') here = here?.items
    else
      here =
        here?.properties?.[step] ??
        (typeof here?.additionalProperties === 'object' ? here.additionalProperties : undefined)
  }
  return here
}

import type { Fields } from '../operator.ts'

/** Name, type, default and description of each field. */
export function describeFields(fields: Fields): string[][] {
  return Object.entries(fields).map(([name, field]) => {
    const fallback = field.default === undefined ? 'required' : JSON.stringify(field.default)
    return [name, typeText(field), fallback, field.description]
  })
}

function typeText(field: Fields[string]): string {
  if (field.type === 'array') return `list of ${field.items.type}`
  if (field.type === 'string')
    return field.enum?.join(' | ') ?? (field.resource ? `name of a ${field.resource}` : 'string')
  if (field.type !== 'number' && field.type !== 'integer') return field.type
  const limits = [
    field.minimum === undefined ? '' : `>= ${field.minimum}`,
    field.exclusiveMinimum === undefined ? '' : `> ${field.exclusiveMinimum}`,
    field.maximum === undefined ? '' : `<= ${field.maximum}`,
  ]
  return [field.type, ...limits].filter(Boolean).join(' ')
}

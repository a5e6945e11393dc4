import type { Fields } from '../operator.ts'
import { isObject } from '../shared/json.ts'

/** Name, type, default and description of each field. */
export function describeFields(fields: Fields): string[][] {
  return Object.entries(fields).map(([name, field]) => {
    const fallback = field.default === undefined ? 'required' : JSON.stringify(field.default)
    return [name, typeText({ ...field }), fallback, field.description]
  })
}

/** The type of a field of a config, or of a param of a graph, with the values that it may have. */
export function typeText(field: Readonly<Record<string, unknown>>): string {
  const { type, items, resource, minimum, exclusiveMinimum, maximum } = field
  if (Array.isArray(field.enum)) return field.enum.join(' | ')
  if (type === 'array') return isObject(items) ? `list of ${items.type}` : 'list'
  if (resource !== undefined) return `name of a ${resource}`
  const limits = [
    minimum === undefined ? '' : `>= ${minimum}`,
    exclusiveMinimum === undefined ? '' : `> ${exclusiveMinimum}`,
    maximum === undefined ? '' : `<= ${maximum}`,
  ]
  return [type, ...limits].filter(Boolean).join(' ')
}

import { isObject } from '../shared/json.ts'
import { nearestHint } from './did-you-mean.ts'
import { show } from './problem.ts'

const types = ['number', 'integer', 'boolean', 'string', 'array', 'object']

/** What is wrong with the config that a plugin's operator or resource declares, as a rule and what was found. */
export function faultOfFields(fields: unknown): { rule: string; found: string; hint?: string } | undefined {
  for (const [name, field] of Object.entries(isObject(fields) ? fields : {})) {
    const at = `config.${name}`
    if (!isObject(field))
      return { rule: `${at} must be a field with a type and a description`, found: show(field) }
    if (!types.includes(String(field.type)))
      return {
        rule: `${at}.type must be one of ${types.join(', ')}`,
        found: show(field.type),
        hint: nearestHint(String(field.type), types),
      }
    if (typeof field.description !== 'string')
      return { rule: `${at} must have a description`, found: show(field.description) }
    if (field.type === 'array' && !(isObject(field.items) && types.includes(String(field.items.type))))
      return { rule: `${at}.items must have a type, one of ${types.join(', ')}`, found: show(field.items) }
  }
  return undefined
}

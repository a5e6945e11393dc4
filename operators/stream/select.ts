import { nearestHint } from '../../engine/graph/did-you-mean.ts'
import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { ExpressionError } from './expression.ts'

export default operator({
  summary: 'Keeps some fields of each item, all of which it must have.',
  config: {
    fields: { type: 'array', items: { type: 'string' }, minItems: 1, description: 'Names of the fields.' },
  },
  inputs: { items: 'any' },
  outputs: { items: 'any' },
  drops: false,
  pure: selectorOf,
  gives: ({ fields }) => fields,
  run: ({ items }, config, context) => ({ items: items.pipe(context.each(selectorOf(config))) }),
})

function selectorOf({ fields }: { fields: readonly string[] }) {
  return async (value: unknown, { key }: { key: string }) => {
    const row = isObject(value) ? value : {}
    return Object.fromEntries(
      fields.map(name => {
        if (Object.hasOwn(row, name)) return [name, row[name]]
        const hint = nearestHint(name, Object.keys(row))
        throw new ExpressionError(
          'bad-row',
          `item "${key}": must have the field "${name}", found ${Object.keys(row).join(', ') || 'no fields'}${hint && ` (${hint})`}`,
        )
      }),
    )
  }
}

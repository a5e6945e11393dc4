import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { compile, ExpressionError, secondsField } from './expression.ts'

/** A field whose expression finds nothing is an error: no prompt ever says `undefined`. */
export default operator({
  summary: 'Makes a new object of each item, its fields by JSONata expressions.',
  config: {
    fields: {
      type: 'object',
      description:
        'JSONata expression of each new field, e.g. `{ "question": "title & \'?\'" , "video": "files[0].path" }` (https://docs.jsonata.org).',
    },
    keep: {
      type: 'boolean',
      default: false,
      description: 'Keeps the other fields of the item, too.',
    },
    seconds: secondsField,
  },
  inputs: { items: 'any' },
  outputs: { items: 'any' },
  drops: false,
  run: ({ items }, { fields, keep, seconds }, context) => {
    const all = Object.entries(fields).map(([name, text]) => {
      if (typeof text === 'string') return { name, text, evaluate: compile(text, `fields.${name}`, seconds) }
      throw new ExpressionError(
        'bad-expression',
        `fields.${name}: must be the text of a JSONata expression, found ${JSON.stringify(text)}`,
      )
    })
    const made = async (value: unknown, { key }: { key: string }) => {
      const result: Record<string, unknown> = keep && isObject(value) ? { ...value } : {}
      for (const { name, text, evaluate } of all) {
        const found = await evaluate(value, key)
        if (found === undefined) {
          const has = isObject(value) ? Object.keys(value).join(', ') : JSON.stringify(value)
          throw new ExpressionError(
            'bad-row',
            `item "${key}": fields.${name} ${JSON.stringify(text)}: must find something, found nothing; the item has ${has}`,
          )
        }
        result[name] = found
      }
      return result
    }
    return { items: items.pipe(context.each(made)) }
  },
})

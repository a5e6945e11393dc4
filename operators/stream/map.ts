import { operator } from '../../engine/operator.ts'
import { isObject } from '../../engine/shared/json.ts'
import { compile, type Evaluate, ExpressionError, secondsField } from './expression.ts'
import { compileTemplate, nothingFound } from './template.ts'

/** A field whose expression finds nothing is an error: no prompt ever says `undefined`. */
export default operator({
  summary: 'Makes a new object of each item, its fields by JSONata expressions and by texts with them.',
  config: {
    fields: {
      type: 'object',
      default: {},
      description:
        'JSONata expression of each new field, e.g. `{ "question": "title & \'?\'" , "video": "files[0].path" }` (https://docs.jsonata.org).',
    },
    templates: {
      type: 'object',
      default: {},
      description:
        'Text of each new field, in which `{expression}` is replaced, e.g. `{ "question": "{title}?\\nA. {options[0]}" }`.',
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
  async inspect(config) {
    compiled(config)
    return []
  },
  pure: makerOf,
  gives: ({ keep, fields, templates }) => (keep ? undefined : Object.keys({ ...fields, ...templates })),
  run: ({ items }, config, context) => ({ items: items.pipe(context.each(makerOf(config))) }),
})

function makerOf(config: MapConfig & { keep: boolean }) {
  const all = compiled(config)
  return async (value: unknown, { key }: { key: string }) => {
    const result: Record<string, unknown> = config.keep && isObject(value) ? { ...value } : {}
    for (const { field, name, text, evaluate } of all) {
      const found = await evaluate(value, key)
      if (found === undefined) throw nothingFound(key, name, text, value)
      result[field] = found
    }
    return result
  }
}

interface NewField {
  field: string
  /** Its path in the config, for messages. */
  name: string
  text: string
  evaluate: Evaluate
}

interface MapConfig {
  fields: Readonly<Record<string, unknown>>
  templates: Readonly<Record<string, unknown>>
  seconds: number
}

function compiled({ fields, templates, seconds }: MapConfig): NewField[] {
  const twice = Object.keys(fields).find(field => Object.hasOwn(templates, field))
  if (twice !== undefined) throw wrong(`templates.${twice}`, 'must not be in "fields", too', templates[twice])
  const of = (from: MapConfig['fields'], section: string, make: typeof compile, what: string) =>
    Object.entries(from).map(([field, text]) => {
      const name = `${section}.${field}`
      if (typeof text !== 'string') throw wrong(name, `must be ${what}`, text)
      return { field, name, text, evaluate: make(text, name, seconds) }
    })
  const all = [
    ...of(fields, 'fields', compile, 'the text of a JSONata expression'),
    ...of(templates, 'templates', compileTemplate, 'a text with {expression} in it'),
  ]
  if (all.length === 0) throw wrong('fields', 'must state a field, or "templates" must', fields)
  return all
}

const wrong = (name: string, rule: string, found: unknown) =>
  new ExpressionError('bad-expression', `${name}: ${rule}, found ${JSON.stringify(found)}`)

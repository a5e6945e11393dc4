import { operator } from '../../engine/operator.ts'
import { compile, ExpressionError, secondsField, unknownNames } from './expression.ts'

const remedy = 'name fields that the rows have, and values that some of them hold'

export default operator({
  summary: 'Passes on the items for which a JSONata expression is true, and drops the others.',
  config: {
    where: {
      type: 'string',
      description:
        'JSONata expression that is true or false, e.g. `duration < 60 and $contains(question, "why")`.',
    },
    seconds: secondsField,
  },
  inputs: { items: 'any' },
  outputs: { items: { kind: 'any', like: 'items' } },
  drops: true,
  marks: () => ({}),
  async inspect({ where, seconds }) {
    compile(where, 'where', seconds)
    return []
  },
  pure: testOf,
  async inspectItems(items, config) {
    const test = testOf(config)
    for (const { value, key } of items) if ((await test(value, { key: String(key) })) !== undefined) return []
    const [first] = items
    if (!first) return []
    const lines = [`none of ${items.length} rows${unknownNames(config.where, first.value)}`]
    return [
      {
        field: 'where',
        rule: 'must be true for some rows',
        lines,
        code: 'keeps-none',
        remedy,
        isWarning: true,
      },
    ]
  },
  run: ({ items }, config, context) => ({ items: items.pipe(context.each(testOf(config))) }),
})

function testOf({ where, seconds }: { where: string; seconds: number }) {
  const evaluate = compile(where, 'where', seconds)
  return async (value: unknown, { key }: { key: string }) => {
    const found = await evaluate(value, key)
    if (typeof found === 'boolean') return found ? value : undefined
    throw new ExpressionError(
      'bad-row',
      `item "${key}": where ${JSON.stringify(where)}: must be true or false, found ${JSON.stringify(found) ?? 'nothing'}${unknownNames(where, value)}`,
    )
  }
}

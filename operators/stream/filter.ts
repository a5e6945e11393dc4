import { operator } from '../../engine/operator.ts'
import { compile, ExpressionError, secondsField } from './expression.ts'

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
  async inspect({ where, seconds }) {
    compile(where, 'where', seconds)
    return []
  },
  run: ({ items }, { where, seconds }, context) => {
    const evaluate = compile(where, 'where', seconds)
    const pass = async (value: unknown, { key }: { key: string }) => {
      const found = await evaluate(value, key)
      if (typeof found === 'boolean') return found ? value : undefined
      throw new ExpressionError(
        'bad-row',
        `item "${key}": where ${JSON.stringify(where)}: must be true or false, found ${JSON.stringify(found) ?? 'nothing'}`,
      )
    }
    return { items: items.pipe(context.each(pass)) }
  },
})

import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { faultsOf } from '../../../engine/testing/index.ts'
import type { ScheduledOptimizer } from '../../../operators/model/adamw.ts'
import type { LoadedModel } from '../../../operators/model/checkpoint/load-model.ts'
import { tinyModel } from '../../../operators/model/tiny-model.ts'

t.setTimeout(600_000)

const counted: number[] = []
const subject = operator({
  summary: 'Counts the tokens of texts, and tells the rate of the next update.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model whose tokens count.' },
    optimizer: { type: 'string', resource: 'optimizer', default: '', description: 'Its optimizer, if any.' },
  },
  inputs: { texts: 'any' },
  outputs: { counts: 'any' },
  run: ({ texts }, { model, optimizer }, context) => ({
    counts: texts.pipe(
      context.each((text: string) => {
        const { length } = context.resource<LoadedModel>(model).tokenizer.encode(text)
        counted.push(length)
        const steps = optimizer === '' ? 0 : context.resource<ScheduledOptimizer>(optimizer).totalSteps
        return length + steps
      }),
    ),
  }),
})
const items = { texts: ['<think> A red ball. </think>', 'B'] }

t.test('an operator that uses a model is tried with tinyModel, with its optimizer or without', async t => {
  t.same(
    await faultsOf(subject, { items, config: { model: 'model' }, resources: tinyModel(), seconds: 60 }),
    [],
  )
  t.ok(counted.length > 12 && counted.every(count => count > 0), 'the tokens are those of a model')
  const config = { model: 'model', optimizer: 'optimizer' }
  t.same(await faultsOf(subject, { items, config, resources: tinyModel(), seconds: 60 }), [])
})

t.test('a field without a value is told, with what to give', async t => {
  t.same(await faultsOf(subject, { items }), [
    "config.model: must be given, for it has no default: faultsOf(operator, { config: { model: 'model' }, resources: tinyModel() }), or with resources of your own",
  ])
})

import {
  type Config,
  type Context,
  type Fields,
  operator,
  type Share,
  type Team,
} from '../../engine/operator.ts'
import type { Example } from '../kinds.ts'
import { type ScheduledOptimizer, scalingMetricNames } from '../model/adamw.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { updateFindings, updatesOf } from '../model/planned-updates.ts'
import { learnMemory } from '../model/sizes.ts'
import { refuseOtherWeights } from '../model/summed-gradients.ts'
import { examplePort } from '../ports.ts'
import { skippedMetric } from '../skipped-metric.ts'
import { collect, type Member } from '../stream/collect.ts'
import { learn } from './train.ts'

const fields = {
  model: { type: 'string', resource: 'model', description: 'The model that learns.' },
  optimizer: { type: 'string', resource: 'optimizer', description: "The model's optimizer." },
  batchSize: { type: 'integer', minimum: 1, default: 1, description: 'Examples in one pass.' },
  accumulation: {
    type: 'integer',
    minimum: 1,
    default: 1,
    description: 'Passes whose gradients are summed for one update.',
  },
  divisor: {
    type: 'string',
    enum: ['update', 'batch'],
    default: 'update',
    description:
      'update: the loss is the mean over all labelled tokens of the update. batch: it is the mean over each pass, averaged over the passes, as in the published program.',
  },
} as const satisfies Fields

/** The work of a process on its examples of a batch. */
const learner =
  ({ model: name, optimizer: rule, batchSize, divisor }: Config<typeof fields>, context: Context) =>
  async (share: Share<Example>, team: Team) => {
    const examples: Example[] = []
    for await (const example of share) examples.push(example)
    const model = context.resource<LoadedModel>(name)
    const optimizer = context.resource<ScheduledOptimizer>(rule)
    const learningRate = optimizer.learningRate()
    const step = await learn(chunks(examples, batchSize), model, optimizer, divisor, team)
    model.version++
    await refuseOtherWeights(model, team)
    return { ...step, step: model.version, learning_rate: learningRate }
  }

const examplesOf = ({ batchSize, accumulation }: Record<'batchSize' | 'accumulation', number>): number =>
  batchSize * accumulation

const batchOf = (config: Config<typeof fields>) => {
  const { optimizer, batchSize, accumulation } = config
  const by = `batchSize ${batchSize} × accumulation ${accumulation}`
  return { optimizer, items: examplesOf(config), by, updates: 1 }
}

/** No example is left out: the last batch and the last update may be short. */
export default operator({
  summary: 'Updates a model with the gradient of the cross-entropy of labelled tokens, and records metrics.',
  config: fields,
  inputs: { examples: examplePort },
  outputs: { version: { kind: 'version', inPlace: true } },
  drops: true,
  effects: true,
  credits: examplesOf,
  collects: examplesOf,
  memory: ({ model, batchSize }, { outline, dims }) => learnMemory(outline(model), batchSize, dims.F),
  makes: (config, items) => updatesOf(items, batchOf(config)),
  inspectCount: (items, config, known) => updateFindings(items, batchOf(config), known),
  metrics: () => [
    ...['loss', 'grad_norm', 'tokens', ...scalingMetricNames, 'learning_rate'],
    ...['skipped', 'examples', 'update_seconds', 'seconds'],
  ],
  team: { pieces: 'accumulation', items: ({ batchSize }) => batchSize, work: learner },
  run: ({ examples }, config, context) => {
    const begun = performance.now()
    const work = learner(config, context)
    const { totalSteps } = context.resource<ScheduledOptimizer>(config.optimizer)
    const update = async (members: readonly Member<Example>[]) => {
      const started = performance.now()
      const values = members.map(member => member.value)
      const { step, learning_rate, ...measured } = await context.together(values, work)
      const now = performance.now()
      context.progress({ done: step, total: totalSteps, isMost: true })
      context.record('metrics', {
        step,
        ...measured,
        learning_rate,
        ...skippedMetric(context),
        examples: members.length,
        key: members.map(member => member.key).join(' '),
        update_seconds: (now - started) / 1000,
        seconds: (now - begun) / 1000,
      })
      return step
    }
    return {
      version: examples.pipe(collect<Example>(examplesOf(config)), context.each(update, { keep: false })),
    }
  },
})

const chunks = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))

import { operator } from '../../engine/operator.ts'
import { generate } from '../../kernels/networks/generator.ts'
import type { Completion, Group, Prompt } from '../kinds.ts'
import { strip } from '../text/python.ts'
import type { LoadedModel } from './load-model.ts'
import { completionSeeds } from './seeds.ts'

export default operator({
  summary: 'Writes a group of completions for each prompt, as one batch that shares the prompt.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that writes.' },
    count: { type: 'integer', minimum: 1, default: 8, description: 'Completions of one prompt.' },
    maxNewTokens: {
      type: 'integer',
      minimum: 1,
      default: 512,
      description: 'Tokens after which a completion is cut.',
    },
    greedy: {
      type: 'boolean',
      default: false,
      description: 'Take the most likely token each time instead of drawing.',
    },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'Divides the logits.' },
    topK: {
      type: 'integer',
      minimum: 0,
      default: 50,
      description: 'Draw from the k most likely tokens; 0: from all.',
    },
    topP: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 1,
      default: 1,
      description: 'Draw from the most likely tokens up to this probability together; 1: from all.',
    },
  },
  inputs: {
    prompts: 'prompt',
    weights: {
      kind: 'version',
      optional: true,
      description: 'Holds generation back until the update it waits for.',
    },
  },
  outputs: { groups: 'group' },
  run: ({ prompts }, { model: name, count, maxNewTokens, ...sampling }, context) => ({
    groups: prompts.pipe(
      context.each(async (prompt: Prompt, { seed }) => {
        const model = context.resource<LoadedModel>(name)
        const started = performance.now()
        const request = { ...prompt, seeds: completionSeeds(seed, count) }
        const limits = { maxNewTokens, endIds: model.config.eosIds, signal: context.signal }
        const [rows] = await generate(model, [request], sampling, limits)
        const completions = rows.map((ids): Completion => {
          const finished = model.config.eosIds.includes(ids[ids.length - 1])
          return { ids, text: strip(model.tokenizer.decode(ids)), finished }
        })
        const generateSeconds = (performance.now() - started) / 1000
        const group: Group = { prompt, completions, policyVersion: model.version, generateSeconds }
        return group
      }),
    ),
  }),
})

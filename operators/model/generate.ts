import { operator } from '../../engine/operator.ts'
import { write } from '../../kernels/networks/generator.ts'
import type { Completion, Group, Prompt } from '../kinds.ts'
import { groupPort, modelDims, promptPort } from '../ports.ts'
import { strip } from '../text/python.ts'
import { drawingFieldsUnlessGreedy } from './drawing-fields.ts'
import type { LoadedModel } from './load-model.ts'
import { completionSeeds } from './seeds.ts'
import { generateMemory } from './sizes.ts'
import { stopOf, textUntil } from './stop.ts'

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
    ...drawingFieldsUnlessGreedy,
    minP: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0,
      description: 'Draw only tokens at least this many times as likely as the likeliest; 0: any.',
    },
    repetitionPenalty: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1,
      description:
        'Divides the logits of tokens that the completion holds already where they are positive, and multiplies the others; 1: leaves them.',
    },
    stop: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      description: 'A completion ends where its text first holds one of these.',
    },
    keepStop: {
      type: 'boolean',
      default: true,
      description: 'Whether the text keeps the one that ended it; the token ids always do.',
    },
  },
  inputs: {
    prompts: promptPort,
    weights: {
      kind: 'version',
      optional: true,
      description: 'Holds generation back until the update it waits for.',
    },
  },
  outputs: { groups: { ...groupPort, holds: 'prompts' } },
  dims: ({ model, count, maxNewTokens }, sizes) => {
    return { ...modelDims(sizes, model), G: count, T: maxNewTokens }
  },
  memory: ({ model, count, maxNewTokens: length, ...sampling }, { outline, dims }) =>
    generateMemory(outline(model), { frames: dims.F, count, length }, sampling),
  run: ({ prompts }, { model: name, count, maxNewTokens, stop: stops, keepStop, ...sampling }, context) => ({
    groups: prompts.pipe(
      context.each(async (prompt: Prompt, { seed }) => {
        const model = context.resource<LoadedModel>(name)
        const started = performance.now()
        const request = { ...prompt, seeds: completionSeeds(seed, count) }
        const { eosIds } = model.config
        const stop = stops.length > 0 ? stopOf(model.tokenizer, stops) : undefined
        const limits = { maxNewTokens, endIds: eosIds, signal: context.signal, ...(stop ? { stop } : {}) }
        const [rows] = await write(model, [request], sampling, limits)
        const completions = rows.map((row): Completion => {
          return { ...row, text: strip(textUntil(model.tokenizer.decode(row.ids), stops, keepStop)) }
        })
        const generateSeconds = (performance.now() - started) / 1000
        const group: Group = { prompt, completions, policyVersion: model.version, generateSeconds }
        return group
      }),
    ),
  }),
})

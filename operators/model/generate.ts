import { type Finding, operator } from '../../engine/operator.ts'
import {
  type GenerateOptions,
  type PromptRequest,
  writeCompletions,
} from '../../kernels/networks/generation/batch-writer.ts'
import { type CompletionGroup, slotWriter } from '../../kernels/networks/generation/slot-writer.ts'
import type { Sampling } from '../../kernels/networks/generation/token-drawing.ts'
import type { Completion, Group, Prompt } from '../kinds.ts'
import { groupPort, modelDims, promptPort } from '../ports.ts'
import { strip } from '../text/python.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { drawingFieldsUnlessGreedy } from './drawing-fields.ts'
import { lengthFault } from './length-fault.ts'
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
      description: 'Largest number of tokens in a completion.',
    },
    greedy: {
      type: 'boolean',
      default: false,
      description: 'Take the most likely token each time instead of drawing one.',
    },
    slots: {
      type: 'integer',
      minimum: 1,
      default: 1,
      description:
        'Prompts completed at the same time: when all completions of a prompt have ended, the next prompt takes its place. More than 1 helps if prompts do not have to wait for the weights.',
    },
    ...drawingFieldsUnlessGreedy,
    minP: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0,
      description:
        'Draw only tokens with at least this fraction of the probability of the most likely one; 0: any token.',
    },
    repetitionPenalty: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1,
      description:
        'Divides the positive logits of tokens that the completion already has, and multiplies their negative ones; 1: no penalty.',
    },
    stop: {
      type: 'array',
      items: { type: 'string' },
      default: [],
      description: 'A completion ends as soon as its text has one of these strings.',
    },
    keepStop: {
      type: 'boolean',
      default: true,
      description: 'Whether the text keeps the string that ended it; the token ids always do.',
    },
  },
  inputs: {
    prompts: promptPort,
    weights: {
      kind: 'version',
      optional: true,
      description: 'Each update of the weights; generation waits for the one that it must use.',
    },
  },
  outputs: { groups: { ...groupPort, holds: 'prompts' } },
  drops: false,
  marks: () => ({ anew: true }),
  atOnce: ({ slots }) => slots,
  dims: ({ model, count, maxNewTokens }, sizes) => {
    return { ...modelDims(sizes, model), G: count, T: maxNewTokens }
  },
  memory: ({ model, count, maxNewTokens: length, slots, ...sampling }, { outline, dims }) =>
    generateMemory(outline(model), { frames: dims.F, count, length }, sampling, slots),
  inspect: async ({ model, count, maxNewTokens, greedy }, known) => [
    ...lengthFault(model, maxNewTokens, known),
    ...(greedy && count > 1 ? [sameFault(count)] : []),
  ],
  run: ({ prompts }, config, context) => {
    const { model: name, count, maxNewTokens, slots, stop: stops, keepStop, ...sampling } = config
    let writer: Writer | undefined
    const open = (model: LoadedModel): Writer => {
      const stop = stops.length > 0 ? stopOf(model.tokenizer, stops) : undefined
      const { eosIds: endIds } = model.config
      const limits = { maxNewTokens, endIds, signal: context.signal, ...(stop ? { stop } : {}) }
      if (slots === 1) return aloneWriter(model, sampling, limits)
      return slotWriter(model, sampling, { ...limits, slots, count })
    }
    const groupFor = async (prompt: Prompt, { seed }: { seed: number }): Promise<Group> => {
      const model = context.resource<LoadedModel>(name)
      writer ??= open(model)
      const written = await writer({ ...prompt, seeds: completionSeeds(seed, count) })
      const completions = written.completions.map((row): Completion => {
        return { ...row, text: strip(textUntil(model.tokenizer.decode(row.ids), stops, keepStop)) }
      })
      return { prompt, completions, policyVersion: written.version, generateSeconds: written.seconds }
    }
    // Groups leave in order, so twice as many are open as there are slots: finished ones wait without idle slots.
    return { groups: prompts.pipe(context.each(groupFor, { concurrency: slots === 1 ? 1 : 2 * slots })) }
  },
})

const sameFault = (count: number): Finding => ({
  field: 'count',
  rule: 'must be 1 where greedy is true',
  lines: [`the most likely tokens are the same in all ${count} completions, so their rewards are equal`],
  code: 'equal-completions',
  isWarning: true,
  remedy: '--set greedy=false, or --set count=1',
})

type Writer = (request: PromptRequest) => Promise<CompletionGroup>

/** One prompt at a time, as a batch of its own. */
function aloneWriter(model: LoadedModel, sampling: Sampling, limits: GenerateOptions): Writer {
  return async request => {
    const started = performance.now()
    const [completions = []] = await writeCompletions(model, [request], sampling, limits)
    return { completions, version: model.version, seconds: (performance.now() - started) / 1000 }
  }
}

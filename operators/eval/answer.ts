import { type Item, operator } from '../../engine/operator.ts'
import {
  type Completion,
  type GenerateOptions,
  type PromptRequest,
  writeCompletions,
} from '../../kernels/networks/generation/batch-writer.ts'
import { type CompletionGroup, slotWriter } from '../../kernels/networks/generation/slot-writer.ts'
import type { Sampling } from '../../kernels/networks/generation/token-drawing.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { drawingFields } from '../model/drawing-fields.ts'
import { completionSeeds } from '../model/seeds.ts'
import { answerMemory } from '../model/sizes.ts'
import type { QuestionWith } from '../question.ts'
import { strip } from '../text/python.ts'
import type { AskedQuestion } from './encode.ts'
import { seedOf } from './question-seed.ts'

/**
 * Greedy answers do not depend on the batch: the arithmetic of a row is the same in batches of up to 32. Drawn answers
 * depend on the run's seed, the question's id and the number of its repeat alone.
 */
export default operator({
  summary:
    'Writes one answer to each of a list of questions: all as one batch, or in slots that are refilled.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that answers.' },
    maxNewTokens: {
      type: 'integer',
      minimum: 1,
      default: 1024,
      description: 'Tokens after which an answer is cut.',
    },
    decoding: {
      type: 'string',
      enum: ['strict', 'published', 'base', 'custom'],
      default: 'strict',
      description:
        'strict and base: the most likely token each time. published: drawn from the 50 most likely. custom: as `temperature`, `topK` and `topP` set it.',
    },
    ...drawingFields,
    slots: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description:
        'Questions answered at the same time, taken from two lists: when an answer ends, the next question takes its slot. 0: one list at a time, until its longest answer has ended.',
    },
  },
  inputs: { lists: { kind: 'list', shape: ['B'] } },
  outputs: { answers: 'answer' },
  drops: false,
  memory: ({ model, maxNewTokens: length, decoding, slots, ...custom }, { outline, dims }) =>
    answerMemory(
      outline(model),
      { questions: dims.B, frames: dims.F, length },
      samplingOf(decoding, custom),
      slots,
    ),
  run: ({ lists }, { model: name, maxNewTokens, decoding, slots, ...custom }, context) => {
    const sampling = samplingOf(decoding, custom)
    const { seed, signal } = context
    const limitsOf = ({ config }: LoadedModel) => ({ maxNewTokens, endIds: config.eosIds, signal })
    const emitted = (answers: readonly AnsweredQuestion[]) =>
      answers.map(answer => context.emit(answer, { key: answer.fields.id, keep: false }))
    let writer: Writer | undefined
    const inSlots = async (asked: readonly AskedQuestion[], item: Item) => {
      if (context.leaves(item)) return []
      const model = context.resource<LoadedModel>(name)
      writer ??= slotWriter(model, sampling, { ...limitsOf(model), slots, count: 1 })
      return emitted(await answersInSlots(model, asked, writer, seed))
    }
    const asBatch = async (asked: readonly AskedQuestion[], item: Item) => {
      const model = context.resource<LoadedModel>(name)
      const limits = { ...limitsOf(model), seed, leaves: () => context.leaves(item) }
      return emitted(await answersAsBatch(model, asked, sampling, limits))
    }
    // of two lists at once, so that the next one takes the slots of those that have ended
    if (slots > 0) return { answers: lists.pipe(context.each(inSlots, { concurrency: 2 })) }
    return { answers: lists.pipe(context.each(asBatch)) }
  },
})

type AnsweredQuestion = QuestionWith<'shown' | 'prompt' | 'reply'>

const published = { greedy: false, temperature: 1, topK: 50, topP: 1 }
const greedy = { ...published, greedy: true }
const decodings = { strict: greedy, base: greedy, published, custom: undefined }

const samplingOf = (decoding: keyof typeof decodings, custom: Omit<Sampling, 'greedy'>): Sampling =>
  decodings[decoding] ?? { greedy: false, ...custom }

interface Limits extends GenerateOptions {
  seed: number
  signal: AbortSignal
  /** Whether rounds that have not begun are left. */
  leaves(): boolean
}

/** In rounds: the first repeat of every question, the second, …, so that a batch never has more rows than questions. */
async function answersAsBatch(
  model: LoadedModel,
  asked: readonly AskedQuestion[],
  sampling: Sampling,
  { seed, leaves, ...limits }: Limits,
): Promise<AnsweredQuestion[]> {
  const answers: AnsweredQuestion[] = []
  for (let round = 0; ; round++) {
    const turns = asked.flatMap(question => turnsOf(question)[round] ?? [])
    if (turns.length === 0 || leaves()) return answers
    const started = performance.now()
    const requests = turns.map(turn => requestOf(turn, seed))
    const written = await writeCompletions(model, requests, sampling, limits)
    limits.signal.throwIfAborted()
    const seconds = (performance.now() - started) / 1000 / turns.length
    answers.push(...turns.map((turn, i) => answered(model, turn, written[i]?.[0], seconds)))
  }
}

type Writer = (request: PromptRequest) => Promise<CompletionGroup>

function answersInSlots(
  model: LoadedModel,
  asked: readonly AskedQuestion[],
  writer: Writer,
  seed: number,
): Promise<AnsweredQuestion[]> {
  return Promise.all(
    asked.flatMap(turnsOf).map(async turn => {
      const { completions, seconds } = await writer(requestOf(turn, seed))
      return answered(model, turn, completions[0], seconds)
    }),
  )
}

type Turn = AskedQuestion & { repeat: number }

/** A question once for each of its repeats that is asked. */
const turnsOf = (question: AskedQuestion): Turn[] =>
  (question.repeats ?? [0]).map(repeat => ({ ...question, repeat }))

/** A repeat has the same seed whether all of them are asked or, after a stop, only the last. */
const requestOf = ({ input, fields, repeat }: Turn, seed: number): PromptRequest => {
  return { ...input, seeds: completionSeeds(seedOf(seed, fields.id), repeat + 1).slice(-1) }
}

function answered(
  model: LoadedModel,
  { input: _, ...question }: Turn,
  completion: Pick<Completion, 'ids'> | undefined,
  generate: number,
): AnsweredQuestion {
  if (!completion) throw new Error(`${question.fields.id}: no completion was written`)
  const { ids } = completion
  const finished = model.config.eosIds.includes(ids.at(-1) ?? -1)
  const reply = { text: strip(model.tokenizer.decode(ids)), tokens: ids.length, finished }
  return { ...question, reply, seconds: { ...question.seconds, generate } }
}

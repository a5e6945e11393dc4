import { createHash } from 'node:crypto'
import { operator } from '../../engine/operator.ts'
import {
  type Completion,
  type PromptRequest,
  writeCompletions,
} from '../../kernels/networks/generation/batch-writer.ts'
import { type CompletionGroup, slotWriter } from '../../kernels/networks/generation/slot-writer.ts'
import type { Sampling } from '../../kernels/networks/generation/token-drawing.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { drawingFields } from '../model/drawing-fields.ts'
import { completionSeeds } from '../model/seeds.ts'
import { answerMemory } from '../model/sizes.ts'
import { strip } from '../text/python.ts'
import type { Answer, Asked } from './kinds.ts'

/**
 * Greedy answers do not depend on the batch: the arithmetic of a row is the same in batches of up to 32. Drawn answers
 * depend on the run's seed and the question's id alone.
 */
export default operator({
  summary: 'Writes one answer for each of a list of questions, as one batch or in places that are refilled.',
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
      enum: ['strict', 'published', 'custom'],
      default: 'strict',
      description:
        'strict: the most likely token each time. published: drawn from the 50 most likely. custom: as the fields below say.',
    },
    ...drawingFields,
    slots: {
      type: 'integer',
      minimum: 0,
      default: 0,
      description:
        'Questions answered at once, of two lists: the next takes the place of one whose answer has ended. 0: a list at a time, until its longest answer has ended.',
    },
  },
  inputs: { lists: { kind: 'list', shape: ['B'] } },
  outputs: { answers: 'answer' },
  memory: ({ model, maxNewTokens: length, decoding, slots, ...custom }, { outline, dims }) =>
    answerMemory(
      outline(model),
      { questions: dims.B, frames: dims.F, length },
      samplingOf(decoding, custom),
      slots,
    ),
  run: ({ lists }, { model: name, maxNewTokens, decoding, slots, ...custom }, context) => {
    const sampling = samplingOf(decoding, custom)
    let writer: Writer | undefined
    const emitted = (answers: readonly Answer[]) =>
      answers.map(answer => context.emit(answer, { key: answer.question.fields.id, keep: false }))
    const inSlots = async (asked: readonly Asked[]) => {
      const model = context.resource<LoadedModel>(name)
      const limits = { maxNewTokens, endIds: model.config.eosIds, signal: context.signal }
      writer ??= slotWriter(model, sampling, { ...limits, slots, count: 1 })
      return emitted(await answersInSlots(model, asked, writer, context))
    }
    if (slots > 0) return { answers: lists.pipe(context.each(inSlots, { concurrency: 2 })) }
    return {
      answers: lists.pipe(
        context.each(async (asked: readonly Asked[]) => {
          const model = context.resource<LoadedModel>(name)
          const ask = (list: readonly Asked[]) =>
            answersTo(model, list, sampling, { maxNewTokens, seed: context.seed, signal: context.signal })
          const answers = await ask(asked).catch(async (error: unknown) => {
            if (isFatal(error, context.signal)) throw error
            // one of them is at fault: alone, the others are answered
            const alone: Answer[] = []
            for (const one of asked)
              alone.push(
                ...(await ask([one]).catch((reason: unknown) => [failed(one, reason, context.signal)])),
              )
            return alone
          })
          return emitted(answers)
        }),
      ),
    }
  },
})

const published = { greedy: false, temperature: 1, topK: 50, topP: 1 }
const decodings = { strict: { ...published, greedy: true }, published, custom: undefined }

const samplingOf = (decoding: keyof typeof decodings, custom: Omit<Sampling, 'greedy'>): Sampling =>
  decodings[decoding] ?? { greedy: false, ...custom }

interface Limits {
  maxNewTokens: number
  seed: number
  signal: AbortSignal
}

async function answersTo(
  model: LoadedModel,
  asked: readonly Asked[],
  sampling: Sampling,
  { maxNewTokens, seed, signal }: Limits,
): Promise<Answer[]> {
  const started = performance.now()
  const requests = asked.map(one => requestOf(one, seed))
  const written = await writeCompletions(model, requests, sampling, {
    maxNewTokens,
    endIds: model.config.eosIds,
    signal,
  })
  signal.throwIfAborted()
  const generateSeconds = (performance.now() - started) / 1000 / asked.length
  return asked.map((one, i) => answerOf(model, one, written[i][0], generateSeconds))
}

type Writer = (request: PromptRequest) => Promise<CompletionGroup>

/** What is wrong with one question is its own failure. */
function answersInSlots(
  model: LoadedModel,
  asked: readonly Asked[],
  writer: Writer,
  { seed, signal }: Pick<Limits, 'seed' | 'signal'>,
): Promise<Answer[]> {
  return Promise.all(
    asked.map(async one => {
      try {
        const { completions, seconds } = await writer(requestOf(one, seed))
        return answerOf(model, one, completions[0], seconds)
      } catch (error) {
        return failed(one, error, signal)
      }
    }),
  )
}

const requestOf = ({ ids, features, question }: Asked, seed: number): PromptRequest => {
  return { ids, features, seeds: completionSeeds(seedOf(seed, question.sample.fields.id), 1) }
}

function answerOf(model: LoadedModel, one: Asked, { ids }: Completion, generate: number): Answer {
  const finished = model.config.eosIds.includes(ids[ids.length - 1] ?? -1)
  const reply = { text: strip(model.tokenizer.decode(ids)), tokens: ids.length, finished }
  return { ...known(one), reply, seconds: { ...one.seconds, generate } }
}

/** A 32-bit seed from the run's seed and a question's id. */
export function seedOf(seed: number, id: string): number {
  return createHash('sha256').update(`${seed}:${id}`).digest().readUInt32LE(0)
}

function failed(one: Asked, error: unknown, signal: AbortSignal): Answer {
  if (isFatal(error, signal)) throw error
  const message = error instanceof Error ? error.message : String(error)
  return { ...known(one), failure: { outcome: 'error', message }, seconds: one.seconds }
}

function known({ question, prompt }: Asked): Pick<Answer, 'question' | 'asked'> {
  const { sample, indices, framesPerSecond, sheet } = question
  return {
    question: sample,
    asked: { prompt, indices, framesPerSecond, ...(sheet !== undefined && { sheet }) },
  }
}

function isFatal(error: unknown, signal: AbortSignal): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return signal.aborted || code === 'device-lost' || code === 'gpu-error'
}

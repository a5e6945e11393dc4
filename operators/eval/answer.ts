import { createHash } from 'node:crypto'
import { operator } from '../../engine/operator.ts'
import { generate, type Request, type Sampling } from '../../kernels/networks/generator.ts'
import { drawingFields } from '../model/drawing-fields.ts'
import type { LoadedModel } from '../model/load-model.ts'
import { completionSeeds } from '../model/seeds.ts'
import { answerMemory } from '../model/sizes.ts'
import { strip } from '../text/python.ts'
import type { Answer, Asked } from './kinds.ts'

/**
 * Greedy answers do not depend on the batch: the arithmetic of a row is the same in batches of up to 32. Drawn answers
 * depend on the run's seed and the question's id alone.
 */
export default operator({
  summary: 'Writes one answer for each of a list of questions, as one batch.',
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
  },
  inputs: { lists: { kind: 'list', shape: ['B'] } },
  outputs: { answers: 'answer' },
  memory: ({ model, maxNewTokens: length, decoding, ...custom }, { outline, dims }) =>
    answerMemory(outline(model), { questions: dims.B, frames: dims.F, length }, samplingOf(decoding, custom)),
  run: ({ lists }, { model: name, maxNewTokens, decoding, ...custom }, context) => {
    const sampling = samplingOf(decoding, custom)
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
          return answers.map(answer => context.emit(answer, { key: answer.question.fields.id, keep: false }))
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
  const requests = asked.map(({ ids, features, question }): Request => {
    return { ids, features, seeds: completionSeeds(seedOf(seed, question.sample.fields.id), 1) }
  })
  const { eosIds } = model.config
  const written = await generate(model, requests, sampling, { maxNewTokens, endIds: eosIds, signal })
  signal.throwIfAborted()
  const generateSeconds = (performance.now() - started) / 1000 / asked.length
  return asked.map((one, i): Answer => {
    const ids = written[i]?.[0] ?? []
    const finished = eosIds.includes(ids[ids.length - 1] ?? -1)
    const reply = { text: strip(model.tokenizer.decode(ids)), tokens: ids.length, finished }
    return { ...known(one), reply, seconds: { ...one.seconds, generate: generateSeconds } }
  })
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

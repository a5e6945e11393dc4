import { operator } from '../../engine/operator.ts'
import { seedOf } from './answer.ts'
import type { Answer, Outcome, Result } from './kinds.ts'
import { type ScorerName, scorers } from './scorers.ts'

/** A pure function of the answers: stored ones are scored anew with `read.results`, without a model. */
export default operator({
  summary: 'Reads the chosen option from each answer and gives every question its outcome.',
  config: {
    scorer: {
      type: 'string',
      enum: ['published', 'strict', 'option', 'video-mme', 'mvbench', 'mlvu', 'lvbench'],
      default: 'strict',
      description: 'How an output is read. published and option draw a letter where they can read none.',
    },
  },
  inputs: { answers: 'answer' },
  outputs: { results: 'result' },
  run: ({ answers }, { scorer }, context) => ({
    results: answers.pipe(
      context.each((answer: Answer) => ({
        result: scored(answer, { scorer, seed: context.seed }),
        seconds: answer.seconds,
      })),
    ),
  }),
})

/** Kind `result` on edges: with what it cost. */
export interface Scored {
  result: Result
  seconds: Answer['seconds']
}

export interface ScoreSettings {
  scorer: ScorerName
  /** Decides the random letters, together with the question's id. */
  seed: number
}

export function scored({ question, asked, reply, failure }: Answer, settings: ScoreSettings): Result {
  const { id, benchmark, tasks, groups, letters, options, answer } = question.fields
  const about = { id, benchmark, tasks, groups, clip: question.fields.clip, question: question.question }
  const verdict = reply ? judge(reply, { letters, options, answer, id }, settings) : undefined
  const failed = { outcome: failure?.outcome ?? 'error', chosen: null, drawn: false } as const
  return {
    ...about,
    options,
    letters,
    answer,
    ...(failure || !verdict ? failed : verdict),
    output: reply?.text ?? null,
    tokens: reply?.tokens ?? 0,
    finished: reply?.finished ?? false,
    prompt: asked?.prompt ?? null,
    indices: asked?.indices ?? [],
    framesPerSecond: asked?.framesPerSecond ?? null,
    sheet: asked?.sheet ?? null,
    message: failure?.message ?? null,
  }
}

function judge(
  { text, finished }: { text: string; finished: boolean },
  { letters, options, answer, id }: Pick<Result, 'letters' | 'options' | 'answer' | 'id'>,
  { scorer, seed }: ScoreSettings,
): { outcome: Outcome; chosen: string | null; drawn: boolean } {
  const parsed = scorers[scorer](text, { letters, options })
  const outcome = (letter: string | undefined): Outcome =>
    letter !== undefined && letter === answer ? 'right' : 'wrong'
  if ('letter' in parsed) return { outcome: outcome(parsed.letter), chosen: parsed.letter, drawn: false }
  // an empty tag is never drawn for: it says that there is no answer
  if ('random' in parsed) {
    const letter = letters[seedOf(seed, `draw:${id}`) % letters.length]
    return { outcome: outcome(letter), chosen: letter ?? null, drawn: true }
  }
  return { outcome: finished ? 'unparsed' : 'truncated', chosen: null, drawn: false }
}

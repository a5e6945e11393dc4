// A question of a benchmark, from the file that it is read from to its result.
import type { Tensor } from '../kernels/device/tensor.ts'
import type { Sample } from './kinds.ts'
import type { FrameRule } from './video/frame-indices.ts'

/**
 * Readers of benchmarks make it (kind `sample`, its key is its id); each operator of an evaluation then adds the field
 * that it is about (kinds `asked`, `answer` and `result`), and `eval.record` writes it to disk.
 */
export interface Question extends Sample {
  fields: QuestionFields
  /** `eval.pending`: it has a result already. It is not asked again, but its clip's frames are chosen as if it were. */
  hasResult?: boolean
  /** `eval.pending`: frames that it is asked with, where it is asked with several numbers of them. */
  count?: number
  /** `eval.pending`: which of its repeats are asked, counted from 0; absent: the first. */
  repeats?: readonly number[]
  /** Which of its repeats this answer is; absent: the first. */
  repeat?: number
  /** `eval.pending`: digests of everything that decides its result. */
  digests?: Digests
  /** `eval.watch`: the words and the frames that it is asked with. Absent when the clip could not be used. */
  shown?: Shown
  /** `eval.encode`: the rendered template. */
  prompt?: string
  /** `eval.encode`: what the model reads; freed when the answer is there. */
  input?: ModelInput
  /** `eval.answer`, `eval.oracle`, `eval.constant`: what came of asking. */
  reply?: Reply
  /** `judge.*`: what a judge has said about the reply. */
  judgement?: Judgement
  /** `eval.watch`: why it was not asked. */
  failure?: Failure
  /** `eval.score`: what became of it. */
  verdict?: Verdict
  /** Time that it is charged with; what a clip costs is charged to the first of its questions that is asked. */
  seconds?: StageSeconds
}

/** A question that has been through the stages which add these fields. */
export type QuestionWith<Field extends keyof Question> = Question & Required<Pick<Question, Field>>

/** A row of a benchmark, in the form that all benchmarks share. */
export interface QuestionFields extends Readonly<Record<string, unknown>> {
  /** Unique in all benchmarks, e.g. `mlvu/1_plotQA/0`. */
  id: string
  benchmark: string
  /** Path of the clip in the benchmark's folder. */
  clip: string
  /** What a question is about; LVBench gives it several. */
  tasks: readonly string[]
  /** Other ways to divide the questions: `duration`, `domain`, … */
  groups: Readonly<Record<string, string>>
  options: readonly string[]
  /** Letters of the options, in order. */
  letters: readonly string[]
  /** The true letter, or the true number or words of a question without options; null when nothing can be right. */
  answer: string | null
  /** Set where the question is answered with words of one's own. */
  open?: OpenQuestion
  /** Which frames this question is asked about. */
  frames: FrameSettings
  /** Where subtitles are, and how they join the question. */
  subtitles?: Subtitles
}

/** How an answer in one's own words is judged. */
export interface OpenQuestion {
  /**
   * `answer`: it is right or wrong, as in MMVU. `points` and `summary`: it gets two marks from 1 to 5, as MLVU's captions
   * of sub-scenes and its summaries do.
   */
  rule: 'answer' | 'points' | 'summary'
  /** The question without the instruction how to answer. */
  words: string
  /** What an answer must have, for `points`. */
  points?: readonly string[]
}

/** What a judge has said about an answer; it stays with the result, so that no answer is judged twice. */
export interface Judgement {
  /** Of the judge, the question, the true answer and the answer. */
  digest: string
  /** The judge's text; null where it gave none. */
  said: string | null
  /** Why there is no verdict. */
  fault?: string
}

/** A result is current as long as all of these are what they were. */
export interface Digests {
  /** Of the recipe's fields that decide answers: model, frames, decoding, … */
  recipe: string
  /** Of those that decide what an answer counts as. */
  scoring: string
  /** Of the question's words, options, frames and subtitles. */
  question: string
  /** Of its true answer and of the parts that it counts in. */
  gold: string
  clip: string
}

export interface FrameSettings {
  rule: FrameRule
  unique: boolean
  /** Keeps rule M to the fields `start` and `end`. */
  bounded: boolean
}

export interface Subtitles {
  path: string
  /** `list`: the lines spoken while a frame is shown, before the question. `interleaved`: in turn with the frames. */
  form: 'list' | 'interleaved'
  /** Seconds of the subtitles' clock at the start of the clip. */
  startSeconds: number
}

export interface Shown {
  /** The words after the frames. */
  text: string
  /** Frame numbers, in order; repeats count. */
  indices: readonly number[]
  /** Average frames a second of the clip. */
  framesPerSecond: number
  /** Contact sheet of the frames, relative to the folder of the results. */
  sheet?: string
}

export interface ModelInput {
  ids: readonly number[]
  /** (frames · tokens, vision hidden), on the GPU. */
  features: Tensor
  /** Seconds from one moment of the clip to the next, where the model's positions depend on it. */
  momentSeconds?: number
}

export interface Reply {
  text: string
  tokens: number
  /** False when the token limit cut it. */
  finished: boolean
}

/** Something about the clip or the row that keeps the question from being asked. */
export interface Failure {
  outcome: FailureOutcome
  message: string
}

export interface Verdict {
  outcome: Outcome
  /** The letter read from the output; null when there is none. */
  chosen: string | null
  /** The letter was drawn at random, as the published scripts do when they cannot read the output. */
  drawn: boolean
  /** What the answer earns, from 0 to 1, where it is a number or was judged; else right earns 1. */
  credit?: number
  /** The judge's marks that the credit was made of. */
  marks?: Readonly<Record<string, number>>
}

export interface StageSeconds {
  decode?: number
  encode?: number
  generate?: number
}

export type FailureOutcome = 'clip-missing' | 'clip-damaged' | 'error'

/**
 * How a question ended. Only `right` counts as correct; all others are wrong in the usual accuracy. `unjudged`: the answer
 * is there, but no judge has given it a verdict yet.
 */
export type Outcome = 'right' | 'wrong' | 'unparsed' | 'truncated' | 'unjudged' | FailureOutcome

export const outcomes: readonly Outcome[] = [
  'right',
  'wrong',
  'unparsed',
  'truncated',
  'unjudged',
  'clip-missing',
  'clip-damaged',
  'error',
]

const failures: readonly FailureOutcome[] = ['clip-missing', 'clip-damaged', 'error']

export const isFailure = (outcome: Outcome): outcome is FailureOutcome =>
  failures.some(failure => failure === outcome)

/** Whether a question is answered with a number: it has no options, and its answer is the true number. */
export const isNumeric = ({
  letters,
  answer,
  open,
}: Pick<QuestionFields, 'letters' | 'answer' | 'open'>): boolean =>
  letters.length === 0 && answer !== null && !open

// What travels on the edges of evaluation graphs, and what they leave on disk.
import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Question } from '../read/benchmark-kinds.ts'

/** Kind `clip-questions`: one clip and everything that is asked about it. */
export interface ClipQuestions {
  video: string
  questions: readonly Question[]
  /** Ids that have no result yet. */
  pending: readonly string[]
}

/** Kind `watched`: a clip whose frames were decoded, for all its questions at once. */
export interface Watched {
  video: string
  questions: readonly AskedQuestion[]
  /** Ids that have no result yet. */
  pending: readonly string[]
  /** Frame numbers that any of the questions sees, increasing. */
  frames: readonly number[]
  /** (frames, 3, size, size), when a model will look at them. */
  pixels?: Tensor
  /** The frames' features, where the cache had them. */
  features?: Float32Array<ArrayBuffer>
  /** Their name in the cache, when there is one. */
  featureKey?: string
  seconds: StageSeconds
}

/** A question with what it is about to be asked with. */
export interface AskedQuestion {
  sample: Question
  /** The words after the frames. */
  text: string
  /** Frame numbers, in order; repeats count. */
  indices: readonly number[]
  /** Average frames a second of the clip. */
  framesPerSecond: number
  /** Contact sheet of the frames, relative to the folder of the results. */
  sheet?: string
}

/** Kind `asked`: a question ready for the model. */
export interface Asked {
  question: AskedQuestion
  /** The rendered template. */
  prompt: string
  ids: readonly number[]
  /** (frames · tokens, vision hidden). */
  features: Tensor
  seconds: StageSeconds
}

export interface StageSeconds {
  decode?: number
  encode?: number
  generate?: number
}

/** Kind `answer`: what came of asking. */
export interface Answer {
  question: Question
  /** Absent when the clip could not be used. */
  asked?: { prompt: string; indices: readonly number[]; framesPerSecond: number; sheet?: string }
  reply?: { text: string; tokens: number; finished: boolean }
  failure?: { outcome: FailureOutcome; message: string }
  /** Time that this question is charged with; what a clip costs is charged to its first question. */
  seconds: StageSeconds
}

export type FailureOutcome = 'clip-missing' | 'clip-damaged' | 'error'

/** How a question ended. Only `right` counts as correct; all others are wrong in the usual accuracy. */
export type Outcome = 'right' | 'wrong' | 'unparsed' | 'truncated' | FailureOutcome

export const outcomes: readonly Outcome[] = [
  'right',
  'wrong',
  'unparsed',
  'truncated',
  'clip-missing',
  'clip-damaged',
  'error',
]

/** Kind `result`: one line of results.jsonl. It holds nothing that differs between equal runs, such as times. */
export interface Result {
  id: string
  benchmark: string
  tasks: readonly string[]
  groups: Readonly<Record<string, string>>
  clip: string
  question: string
  options: readonly string[]
  letters: readonly string[]
  answer: string | null
  outcome: Outcome
  /** The letter read from the output; null when there is none. */
  chosen: string | null
  /** The letter was drawn at random, as the published scripts do when they cannot read the output. */
  drawn: boolean
  output: string | null
  tokens: number
  finished: boolean
  prompt: string | null
  indices: readonly number[]
  framesPerSecond: number | null
  sheet: string | null
  /** What went wrong, for failures. */
  message: string | null
}

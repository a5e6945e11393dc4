// What travels on the edges of evaluation graphs, and what they leave on disk.
import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Sample } from '../kinds.ts'
import type { FrameRule } from '../video/frame-indices.ts'

/** Kind `sample` as readers of benchmarks emit it; the item's key is the question's id. */
export interface Question extends Sample {
  fields: QuestionFields
}

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
  /** The true letter; null when no letter can be right. */
  answer: string | null
  /** Which frames this question is asked about. */
  frames: FrameSettings
  /** Where subtitles are, and how they join the question. */
  subtitles?: Subtitles
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

/** Kind `benchmark`: what a whole benchmark is, before shards divide it. */
export interface Benchmark {
  name: string
  /** The average that the benchmark quotes: over all questions, or the mean of the parts' accuracies. */
  headline: Headline
  /** Every question that is asked, in order. */
  questions: readonly { id: string; clip: string }[]
  /** Rows that are not asked, and why. */
  excluded: readonly { id: string; reason: string }[]
  findings: readonly Finding[]
  shard: number
  shards: number
}

/** `tasks`: the mean of the tasks' accuracies; `groups.NAME`: the mean over the values of that group. */
export type Headline = 'micro' | 'tasks' | `groups.${string}`

/** Something noteworthy in the data. */
export interface Finding {
  code:
    | 'missing-clip'
    | 'empty-clip'
    | 'unwinnable'
    | 'repeated-option'
    | 'duplicate-id'
    | 'duplicate-question'
    | 'unknown-field'
    | 'not-asked'
  /** A question's id or a field's name, and details. */
  about: string
}

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

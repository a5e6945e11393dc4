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

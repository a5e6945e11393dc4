import type { FailureOutcome, Outcome, QuestionWith } from '../../question.ts'

/** A line of results.jsonl. It holds nothing that differs between equal runs, such as times. */
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
  /** What a number earns, from 0 to 1. */
  credit?: number
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

/** What messages call the name of a contact sheet. */
export const sheetField = 'the "sheet" of a result'

/** The record of a question at the end of its way. */
export function resultOf(asked: QuestionWith<'verdict'>): Result {
  const { question, fields, verdict, reply, shown, prompt, failure } = asked
  const { id, benchmark, tasks, groups, clip, options, letters, answer } = fields
  return {
    id,
    benchmark,
    tasks,
    groups,
    clip,
    question,
    options,
    letters,
    answer,
    outcome: verdict.outcome,
    chosen: verdict.chosen,
    drawn: verdict.drawn,
    ...(verdict.credit !== undefined && { credit: verdict.credit }),
    output: reply?.text ?? null,
    tokens: reply?.tokens ?? 0,
    finished: reply?.finished ?? false,
    prompt: prompt ?? null,
    indices: shown?.indices ?? [],
    framesPerSecond: shown?.framesPerSecond ?? null,
    sheet: shown?.sheet ?? null,
    message: failure?.message ?? null,
  }
}

/** The question that a record is about, as it was before it was scored. */
export function questionOf(result: Result): QuestionWith<'reply'> | QuestionWith<'failure'> {
  const { id, benchmark, tasks, groups, clip, options, letters, answer, question, output } = result
  const { prompt, indices, framesPerSecond, tokens, finished, message, outcome } = result
  const frames = { rule: 'L', unique: false, bounded: false } as const
  const fields = { id, benchmark, tasks, groups, clip, options, letters, answer, frames }
  const base = {
    video: clip,
    question,
    fields,
    ...(prompt !== null && { prompt }),
    // a sheet stays in the folder that it was written for
    ...(framesPerSecond !== null && { shown: { text: question, indices, framesPerSecond } }),
  }
  if (isFailure(outcome)) return { ...base, failure: { outcome, message: message ?? '' } }
  return { ...base, reply: { text: output ?? '', tokens, finished } }
}

export const isFailure = (outcome: Outcome): outcome is FailureOutcome =>
  outcome === 'clip-missing' || outcome === 'clip-damaged' || outcome === 'error'

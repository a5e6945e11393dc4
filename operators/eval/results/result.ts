import { isObject } from '../../../engine/shared/json.ts'
import {
  type Digests,
  isFailure,
  type Judgement,
  type OpenQuestion,
  type Outcome,
  outcomes,
  type QuestionWith,
} from '../../question.ts'
import { faultIn, isNumber, isText, listOf, orAbsent, orNull, type Shape, tableOf } from './shape.ts'

/** A question's result as it is stored, and a line of results.jsonl. It holds nothing that differs between equal runs, such as times. */
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
  /** What a number or a judged answer earns, from 0 to 1. */
  credit?: number
  /** Set for questions that are answered with words of one's own. */
  open?: OpenQuestion
  /** What the judge has said, and the marks that it gave. */
  judgement?: Judgement
  marks?: Readonly<Record<string, number>>
  output: string | null
  tokens: number
  finished: boolean
  prompt: string | null
  indices: readonly number[]
  framesPerSecond: number | null
  sheet: string | null
  /** What went wrong, for failures. */
  message: string | null
  /** Which of the question's repeats it is, from 1; absent for the first. */
  repeat?: number
  /** What it was made of; not in results.jsonl, for copies of a clip differ in them. */
  digests?: Digests
}

/** What messages call the name of a contact sheet. */
export const sheetField = 'the "sheet" of a result'

/** Whether a result was made of these things, as far as they are given. */
export const isCurrent = (result: Result | undefined, digests: Partial<Digests> = {}): boolean =>
  result !== undefined &&
  Object.entries(digests).every(([name, digest]) => result.digests?.[name as keyof Digests] === digest) // its keys

/** The record of a question at the end of its way. */
export function resultOf(asked: QuestionWith<'verdict'>): Result {
  const { question, fields, verdict, reply, shown, prompt, failure, judgement, repeat = 0, digests } = asked
  const { id, benchmark, tasks, groups, clip, options, letters, answer, open } = fields
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
    ...(open && { open }),
    ...(judgement && { judgement }),
    ...(verdict.marks && { marks: verdict.marks }),
    output: reply?.text ?? null,
    tokens: reply?.tokens ?? 0,
    finished: reply?.finished ?? false,
    prompt: prompt ?? null,
    indices: shown?.indices ?? [],
    framesPerSecond: shown?.framesPerSecond ?? null,
    sheet: shown?.sheet ?? null,
    message: failure?.message ?? null,
    ...(repeat > 0 && { repeat }),
    ...(digests && { digests }),
  }
}

/** The question that a record is about, as it was before it was scored. */
export function questionOf(result: Result): QuestionWith<'reply'> | QuestionWith<'failure'> {
  const { id, benchmark, tasks, groups, clip, options, letters, answer, question, output } = result
  const { prompt, indices, framesPerSecond, tokens, finished, message, outcome, repeat, digests } = result
  const { open, judgement } = result
  const frames = { rule: 'L', unique: false, bounded: false } as const
  const fields = {
    id,
    benchmark,
    tasks,
    groups,
    clip,
    options,
    letters,
    answer,
    frames,
    ...(open && { open }),
  }
  const base = {
    video: clip,
    question,
    fields,
    ...(repeat !== undefined && { repeat }),
    ...(digests && { digests }),
    ...(judgement && { judgement }),
    ...(prompt !== null && { prompt }),
    // a sheet stays in the folder that it was written for
    ...(framesPerSecond !== null && { shown: { text: question, indices, framesPerSecond } }),
  }
  if (isFailure(outcome)) return { ...base, failure: { outcome, message: message ?? '' } }
  return { ...base, reply: { text: output ?? '', tokens, finished } }
}

/** Why a value is no result; undefined for a result. A folder of results may come from elsewhere. */
export const faultOf = (value: Readonly<Record<string, unknown>>): string | undefined => faultIn(value, shape)

const shape: Shape<keyof Omit<Result, 'sheet' | 'repeat' | 'digests'>> = {
  id: isText,
  benchmark: isText,
  tasks: listOf(isText),
  groups: tableOf(isText),
  clip: isText,
  question: isText,
  options: listOf(isText),
  letters: listOf(isText),
  answer: orNull(isText),
  outcome: value => outcomes.some(outcome => outcome === value),
  chosen: orNull(isText),
  drawn: value => typeof value === 'boolean',
  output: orNull(isText),
  tokens: isNumber,
  finished: value => typeof value === 'boolean',
  prompt: orNull(isText),
  indices: listOf(isNumber),
  framesPerSecond: orNull(isNumber),
  message: orNull(isText),
  credit: orAbsent(isNumber),
  open: orAbsent(
    value =>
      isObject(value) &&
      ['answer', 'points', 'summary'].some(rule => rule === value.rule) &&
      isText(value.words) &&
      orAbsent(listOf(isText))(value.points),
  ),
  judgement: orAbsent(
    value =>
      isObject(value) && isText(value.digest) && orNull(isText)(value.said) && orAbsent(isText)(value.fault),
  ),
  marks: orAbsent(tableOf(isNumber)),
}

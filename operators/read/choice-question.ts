import { relative } from 'node:path'
import type { Question } from '../question.ts'
import { lettersOf } from './benchmark-rows.ts'
import { choiceWords } from './choice-words.ts'

/** What a reader knows about a multiple-choice question. */
export interface ChoiceRow {
  benchmark: string
  /** Unique in its benchmark. */
  id: string
  /** Folder of the benchmark, and path of the clip. */
  root: string
  video: string
  question: string
  options: readonly string[]
  /** The true letter; null where it is not known. */
  answer: string | null
  tasks: readonly string[]
  groups?: Readonly<Record<string, string>>
  /** Seconds of the clip that the question is about. */
  bounds?: readonly [number, number]
  instruction: string
}

/** A question with its options, its instruction in the last line. */
export function choiceQuestion(row: ChoiceRow): Question {
  const { benchmark, options, bounds, instruction } = row
  const letters = lettersOf(options.length)
  return {
    video: row.video,
    question: `${choiceWords(row.question, options)}\n${instruction}`,
    fields: {
      id: `${benchmark}/${row.id}`,
      benchmark,
      clip: relative(row.root, row.video),
      tasks: row.tasks,
      groups: row.groups ?? {},
      options,
      letters,
      answer: row.answer,
      frames: { rule: bounds ? 'M' : 'L', unique: false, bounded: bounds !== undefined },
      ...(bounds && { start: bounds[0], end: bounds[1] }),
    },
  }
}

import { relative } from 'node:path'
import type { Question } from '../question.ts'
import { stripEnd } from '../text/python.ts'
import { lettersOf } from './benchmark-rows.ts'

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

/** A question with its options on lines of their own, as in MVBench's prompts; options that state their letters keep them. */
export function choiceQuestion(row: ChoiceRow): Question {
  const { benchmark, options, bounds, instruction } = row
  const letters = lettersOf(options.length)
  const labelled = options.every((option, i) => /^\(?([A-Z])[.):]/.exec(option)?.[1] === letters[i])
  const lines = options.map((option, i) => (labelled ? option : `${letters[i]}. ${option}`))
  const words = stripEnd([row.question, ...(options.length > 0 ? ['Options:', ...lines] : [])].join('\n'))
  return {
    video: row.video,
    question: `${words}\n${instruction}`,
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

import { createHash } from '../engine/platform/digests.ts'
import type { Question } from './question.ts'

/** A short digest of a JSON value. */
export const digestOf = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

/** Fields that say where a question counts, and not what is asked. Of `clip` and `subtitles` the content counts, not the place. */
const unasked = new Set(['id', 'benchmark', 'clip', 'answer', 'tasks', 'groups', 'subtitles', 'open'])

/** Of everything that a model is asked: words, options, frames. A change asks the question again. */
export function questionDigest({ question, fields }: Pick<Question, 'question' | 'fields'>): string {
  const asked = Object.entries(fields).filter(([name]) => !unasked.has(name))
  return digestOf([question, asked, fields.subtitles?.form, fields.subtitles?.startSeconds])
}

/** Of the true answer and of the parts that the question counts in. A change scores its answer again. */
export const goldDigest = ({ fields: { answer, tasks, groups, open } }: Pick<Question, 'fields'>): string =>
  digestOf([answer, tasks, groups, ...(open ? [open] : [])])

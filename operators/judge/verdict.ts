import { isObject } from '../../engine/shared/json.ts'
import type { OpenQuestion } from '../question.ts'

/** What a judge has said about an answer, in numbers. */
export interface JudgeVerdict {
  /** What the answer earns, from 0 to 1. */
  credit: number
  /** The answer in the judge's words, where it states one. */
  extracted?: string
  /** Each mark that the credit was made of, from 1 to 5. */
  marks?: Readonly<Record<string, number>>
}

/** The two marks of each task that is graded, as the official judges of MLVU name them. */
const marksOf = {
  points: ['score_accuracy', 'score_relevance'],
  summary: ['score_completeness', 'score_reliability'],
} as const

const [worst, best] = [1, 5]

/**
 * Reads the verdict at the end of a judge's text: the last object that has all its fields with values in their range, as
 * JSON or as Python writes it. Undefined where there is none: that is no verdict, and not a bad one. `score`, from 0 to 1,
 * stands for a verdict of any kind.
 */
export function readVerdict(rule: OpenQuestion['rule'], text: string): JudgeVerdict | undefined {
  for (const fields of objectsFromTheEnd(text)) {
    if ('score' in fields) {
      const credit = numberOf(fields.score)
      return credit !== undefined && credit >= 0 && credit <= 1 ? { credit } : undefined
    }
    const verdict = rule === 'answer' ? correctness(fields) : grade(fields, marksOf[rule])
    if (verdict) return verdict
  }
  return undefined
}

function correctness({ correct, extracted_answer: extracted }: Fields): JudgeVerdict | undefined {
  const isRight = typeof correct === 'string' ? spelled[correct.trim().toLowerCase()] : correct
  if (typeof isRight !== 'boolean') return undefined
  return { credit: isRight ? 1 : 0, ...(typeof extracted === 'string' && { extracted }) }
}

const spelled: Readonly<Record<string, boolean | undefined>> = { true: true, false: false }

function grade(fields: Fields, names: readonly string[]): JudgeVerdict | undefined {
  const marks: Record<string, number> = {}
  for (const name of names) {
    const mark = numberOf(fields[name])
    if (mark === undefined || mark < worst || mark > best) return undefined
    marks[name.replace('score_', '')] = mark
  }
  const sum = Object.values(marks).reduce((total, mark) => total + mark, 0)
  return { credit: sum / (names.length * best), marks }
}

function numberOf(value: unknown): number | undefined {
  const isText = typeof value === 'string' && /^\s*\d{1,3}(\.\d{1,6})?\s*$/.test(value)
  const number = isText ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

type Fields = Readonly<Record<string, unknown>>

/** More braces than these at the end of a text hold no verdict. */
const mostObjects = 20
const longestObject = 20_000

function* objectsFromTheEnd(text: string): Generator<Fields> {
  let start = text.lastIndexOf('{')
  for (let i = 0; i < mostObjects && start >= 0; i++) {
    const part = text.slice(start, start + longestObject)
    const end = part.indexOf('}')
    const fields = end < 0 ? undefined : objectIn(part.slice(0, end + 1))
    if (fields) yield fields
    start = start === 0 ? -1 : text.lastIndexOf('{', start - 1)
  }
}

function objectIn(text: string): Fields | undefined {
  for (const form of [text, inPython(text)])
    try {
      const value: unknown = JSON.parse(form)
      if (isObject(value)) return value
    } catch {
      // the next form
    }
  return undefined
}

/** Python's quotes, truth values and commas at the end as JSON has them. */
const inPython = (text: string): string =>
  text
    .replace(/(?<=[{,:]\s{0,9})'|'(?=\s{0,9}[,:}])/g, '"')
    .replace(/(?<=:\s{0,9})(True|False)\b/g, word => word.toLowerCase())
    .replace(/,\s{0,9}\}$/, '}')

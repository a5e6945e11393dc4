// What `flow check` says about the solutions of questions and the options that they are chosen from.
import { nearest } from '../../engine/graph/did-you-mean.ts'
import type { Finding, SourceItem } from '../../engine/operator.ts'
import type { Sample } from '../kinds.ts'
import { answerBetweenTags } from '../text/answer-tags.ts'
import { strip } from '../text/python.ts'
import type { AnswerForm } from './columns.ts'
import { columnsSetting } from './fitting-form.ts'
import { optionsIn } from './inline-options.ts'
import { listed } from './listed.ts'

type Samples = readonly SourceItem<Sample>[]

/** File and line of a sample, as the config names the file; else its key. */
export const placeOf = ({ key, place }: SourceItem<Sample>): string => place ?? `row ${key}`

const goldOf = (solution: string | undefined): string =>
  solution === undefined ? '' : strip(answerBetweenTags(solution, { edges: false }) ?? solution)

/** Rows whose solution is none of the letters that their question offers: no answer to them is right. */
export function goldFaults(samples: Samples): Finding[] {
  const faults = samples.flatMap(sample => {
    const { question, solution } = sample.value
    const gold = goldOf(solution)
    const letters = optionsIn(question).map(({ letter }) => letter)
    const isWrong = gold !== '' && letters.length > 0 && !letters.includes(gold)
    return isWrong ? [`${placeOf(sample)}: ${JSON.stringify(gold)} is none of ${letters.join(', ')}`] : []
  })
  if (faults.length === 0) return []
  const rule = 'must have solutions among the options'
  const remedy = 'correct these solutions, or leave the rows out: every answer to them counts as wrong'
  const lines = [`${faults.length} of ${samples.length} rows: ${listed(faults)}`]
  return [{ field: 'path', rule, lines, code: 'gold-not-offered', remedy, isWarning: true }]
}

/**
 * Rows that offer the same option twice. Where it is the right one, an answer with its other letter counts as wrong. A warning:
 * data sets that people train on have such rows.
 */
export function repeatedOptions(samples: Samples): Finding[] {
  const faults = samples.flatMap(sample => {
    const { question, solution } = sample.value
    const options = optionsIn(question)
    const alike = options.filter(one => options.some(other => other !== one && other.words === one.words))
    const [first] = alike
    if (!first) return []
    const letters = alike.filter(({ words }) => words === first.words).map(({ letter }) => letter)
    const isRight = alike.some(({ letter }) => letter === goldOf(solution))
    const said = `${letters.join(' and ')} are both ${JSON.stringify(first.words)}`
    return [`${placeOf(sample)}: ${said}${isRight ? ', and one of them is the answer' : ''}`]
  })
  if (faults.length === 0) return []
  const rule = 'must have options that differ'
  const remedy =
    'correct these options, or leave the rows out: of two options that are alike only one letter counts as right'
  const lines = [`${faults.length} of ${samples.length} rows: ${listed(faults)}`]
  return [{ field: 'path', rule, lines, code: 'repeated-option', remedy, isWarning: true }]
}

/** How a config reads rows of one's own. */
interface Own {
  columns: Readonly<Record<string, unknown>>
  answerForm: AnswerForm
}

/**
 * Rows without a solution: they can be answered, but no reward can compare the answer with anything. `own`: how the config
 * reads them; undefined where the rows cannot be read by other names.
 */
export function noSolutions(samples: Samples, own?: Own): Finding[] {
  // a conversation is learned from as it is
  const lacking = samples.filter(
    ({ value }) => value.solution === undefined && value.conversations === undefined,
  )
  if (lacking.length === 0) return []
  const rule =
    'must have a solution in each row that a reward compares an answer with, such as reward.accuracy'
  const { said, setting } = otherName(samples, lacking, own)
  const lines = [
    `${lacking.length} of ${samples.length} rows have none: ${listed(lacking.map(placeOf))}`,
    ...(said === undefined ? [] : [said]),
  ]
  const failing = { items: lacking.length, of: samples.length }
  const remedy = setting ?? 'fill solution (or answer) in these rows, or use rewards that need none'
  return [
    { field: 'path', rule, lines, code: 'no-solution', remedy, lacks: 'solution', failing, isWarning: true },
  ]
}

/**
 * Where rows without a solution have a field whose name is much like that of the solution: the setting that reads it, if all rows
 * have it; else the fields to rename, so that all rows have one name.
 */
function otherName(
  samples: Samples,
  lacking: Samples,
  own: Own | undefined,
): { said?: string; setting?: string } {
  const columns = own?.columns
  const stated = columns?.answer
  const right = typeof stated === 'string' ? stated : columns === undefined ? 'solution' : 'answer'
  const names = new Set(lacking.flatMap(({ value }) => Object.keys(value.fields)))
  const meant = nearest(right, names) ?? nearest('solution', names)
  if (meant === undefined) return {}
  const having = lacking.filter(({ value }) => meant in value.fields)
  const choices = having.map(({ value: { question, fields } }) => {
    return { answer: fields[meant], options: optionsIn(question).map(({ words }) => words) }
  })
  const setting = own && columnsSetting({ ...columns, answer: meant }, choices, own.answerForm)
  if (setting !== undefined && having.length === samples.length)
    return { said: `is the column "${meant}" meant? ${setting}`, setting }
  const others = samples.filter(sample => !lacking.includes(sample))
  // most rows have the name that the config does not give
  if (setting !== undefined && having.length > others.length) {
    const rename = `rename "${right}" to "${meant}" in ${listed(others.map(placeOf))}`
    return { said: `is the field "${meant}" meant, which most rows have? ${setting}, and ${rename}` }
  }
  const name = meant === right ? 'solution' : right
  return { said: `is the field "${meant}" meant? rename it to "${name}" in ${listed(having.map(placeOf))}` }
}

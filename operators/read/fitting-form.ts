// The form that the answers of a file have, to be offered in a message beside the columns: never taken as read.
import { lettersOf } from './benchmark-rows.ts'
import { type AnswerForm, type Columns, letterFor, partsOf } from './columns.ts'
import { optionTexts } from './inline-options.ts'
import { RowFault } from './rows.ts'
import { suggested } from './suggested-columns.ts'

/** An answer, and the options that it is one of. */
export interface Choice {
  answer: unknown
  options: readonly string[]
}

const forms: readonly AnswerForm[] = ['letter', 'text', 'index', 'number']

/** The answers of rows with options, by the columns that hold them. */
export const choicesOf = (rows: readonly Readonly<Record<string, unknown>>[], columns: Columns): Choice[] =>
  rows.flatMap(row => {
    const parts = partsOf(row, columns)
    if (parts instanceof RowFault || (parts.answer ?? '') === '') return []
    const options = optionTexts(typeof parts.question === 'string' ? parts.question : '', parts.options)
    return options.length > 0 ? [{ answer: parts.answer, options }] : []
  })

/**
 * The form that most answers have: the stated one, unless another one fits more of them. `isWhole`: it fits all. Undefined where
 * none fits half of them. `setting`: what `--set` takes for it; numbers may count from 0 or from 1.
 */
export function fittingForm(
  choices: readonly Choice[],
  stated: AnswerForm,
): { form: AnswerForm; setting: string; isWhole: boolean } | undefined {
  const fits = (form: AnswerForm) =>
    choices.filter(
      ({ answer, options }) => letterFor(answer, options, lettersOf(options.length), form) !== undefined,
    ).length
  const counts = [stated, ...forms.filter(form => form !== stated)].map(form => ({ form, fit: fits(form) }))
  const most = counts.reduce((best, one) => (one.fit > best.fit ? one : best))
  if (2 * most.fit <= choices.length) return undefined
  const isEither = most.form === 'index' && fits('number') === most.fit
  const setting = `--set answerForm=${most.form}${isEither ? ', or number where they count from 1' : ''}`
  return { form: most.form, setting, isWhole: most.fit === choices.length }
}

/** The settings that read a file by these columns: with that of its answers where they are no letters. */
export function columnsSetting(
  columns: Readonly<Record<string, unknown>>,
  choices: readonly Choice[],
  stated: AnswerForm,
): string {
  const { form, setting } = fittingForm(choices, stated) ?? {
    form: stated,
    setting: `--set answerForm=${stated}`,
  }
  return `--set columns='${JSON.stringify(columns)}'${form === 'letter' ? '' : ` ${setting}`}`
}

/** The settings that name the columns of a file, as far as their names tell what they hold. */
export function suggestedSetting(
  rows: readonly Readonly<Record<string, unknown>>[],
  stated: Readonly<Record<string, unknown>>,
  form: AnswerForm,
): string {
  const columns = suggested(rows, stated)
  // the cast: names of columns that are there, or a sign that none is known
  return `say which columns hold them: ${columnsSetting(columns, choicesOf(rows, columns as Columns), form)}`
}

/** What to do about rows with answers that are none of their options, if another form fits: else they are to be mended. */
export function formRemedy(choices: readonly Choice[], stated: AnswerForm): string | undefined {
  const fitting = fittingForm(choices, stated)
  if (fitting === undefined || fitting.form === stated) return undefined
  const { setting } = fitting
  return fitting.isWhole ? setting : `${setting}, and mend the rows that it does not fit, or leave them out`
}

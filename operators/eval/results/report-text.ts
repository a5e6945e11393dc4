import { describeGrades } from './grades.ts'
import { percent } from './percent.ts'
import { describeRepeats, type Repeats } from './repeats.ts'
import { detailsOf } from './report-heading.ts'
import type { Result } from './result.ts'
import type { Score, Summary } from './summary.ts'

/** The summary for people, as Markdown. */
export function markdown(summary: Summary): string {
  const { benchmark, done, expected, shard, scores, speed, provenance } = summary
  const complete =
    done === expected ? `all ${done} questions` : `${done} of ${expected} questions: INCOMPLETE`
  const outcomes = Object.entries(summary.outcomes).map(([name, count]) => `| ${name} | ${count} |`)
  const { decode, encode, generate } = speed.secondsPerClip
  return [
    ...(summary.trouble === undefined ? [] : [`**Do not trust this score: ${summary.trouble}.**`, '']),
    `# ${benchmark}`,
    '',
    `${[provenance.model, provenance.profile && `profile ${provenance.profile}`, provenance.date, ...detailsOf(provenance)].filter(Boolean).join('; ')}.`,
    '',
    `${complete}, shard ${shard}, ${speed.clips} clips. Accuracy counts every outcome but \`right\` as wrong.`,
    `Intervals: 95 %, questions about one clip taken together. Chance: the mean of 1 / options.`,
    '',
    ...scoreTable('average', scores),
    '',
    ...(summary.repeats ? [...repeatsTable(summary.repeats), ''] : []),
    ...(summary.grades ? [...describeGrades(summary.grades).map(line => `- ${line}`), ''] : []),
    `| outcome | questions |\n| --- | ---: |`,
    ...outcomes,
    '',
    `Unparsed, cut or drawn: ${percent(summary.unparsedRate)} % of those answered; drawn at random: ${summary.drawn}; ` +
      `unwinnable (no right answer to compare with, so they count as wrong): ${summary.unwinnable}.`,
    ...summary.excluded.map(({ reason, count }) => `Not asked: ${count} (${reason}).`),
    ...summary.findings.map(({ code, count }) => `Data: ${count} ${code}.`),
    ...(summary.missing.length > 0 ? [`Missing: ${summary.missing.join(', ')}, …`] : []),
    '',
    ...summary.tables.flatMap(({ name, rows }) => [...scoreTable(name, rows), '']),
    `Seconds a clip: decode ${number(decode)}, encode ${number(encode)}, generate ${number(generate)}; ` +
      `${speed.tokens} tokens, ${number(speed.tokensPerSecond)} a second.`,
    '',
    '```json',
    JSON.stringify(summary.recipe, null, 2),
    '```',
    '',
  ].join('\n')
}

const repeatsTable = (repeats: Repeats): string[] => [
  '| of several answers | value |',
  '| --- | ---: |',
  ...describeRepeats(repeats).map(([name, value]) => `| ${name} | ${value} |`),
]

function scoreTable(title: string, scores: readonly Score[]): string[] {
  const rows = scores.map(({ name, mean, low, high, chance, observations, clusters }) => {
    const interval = low === null || high === null ? '–' : `${percent(low)} to ${percent(high)}`
    return `| ${name} | ${percent(mean)} | ${interval} | ${percent(chance)} | ${observations} | ${clusters} |`
  })
  const head = `| ${title} | accuracy % | 95 % interval | chance % | questions | clips |`
  return [head, '| --- | ---: | ---: | ---: | ---: | ---: |', ...rows]
}

const number = (value: number | null): string => (value === null ? '–' : value.toPrecision(3))

/** One line for each question. */
export function csv(results: readonly Result[]): string {
  const isRepeated = results.some(({ repeat }) => repeat !== undefined)
  const head = `id,${isRepeated ? 'repeat,' : ''}benchmark,tasks,groups,clip,answer,chosen,outcome,drawn,tokens,finished,output`
  const lines = results.map(result => {
    const { id, benchmark, tasks, groups, clip, answer, chosen, outcome, drawn, tokens, finished, output } =
      result
    const group = Object.entries(groups).map(([name, value]) => `${name}=${value}`)
    const cells = [
      id,
      ...(isRepeated ? [String(result.repeat ?? 0)] : []),
      benchmark,
      tasks.join(';'),
      group.join(';'),
      clip,
      answer ?? '',
      chosen ?? '',
      outcome,
    ]
    return [...cells, drawn, tokens, finished, output ?? ''].map(csvCell).join(',')
  })
  return `${[head, ...lines].join('\n')}\n`
}

/** A cell of a line of CSV. A text that begins like a formula would be one in a spreadsheet: an apostrophe keeps it a text. */
export function csvCell(value: string | number | boolean): string {
  const text = typeof value === 'string' ? value.replace(/^[=+\-@\t\r]/, "'$&") : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

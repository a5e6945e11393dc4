import { at } from '../../../engine/shared/at.ts'
import { describeGrades } from './grades.ts'
import { percent } from './percent.ts'
import { byQuestion, describeRepeats, withDeviation } from './repeats.ts'
import { habitsOf, habitsSection } from './report-answers.ts'
import { averageName, framePage, html, scoreTable } from './report-frame.ts'
import type { Heading } from './report-heading.ts'
import { itemOf, markOf, type PageItem } from './report-items.ts'
import type { Result } from './result.ts'
import type { Summary } from './summary.ts'

/** The page of one evaluation. */
export function page(
  summary: Summary,
  heading: Heading,
  results: readonly Result[],
  sheets: ReadonlyMap<string, string>,
): string {
  const { benchmark, scores, tables } = summary
  const byTable = tables.map(
    ({ name, rows }) =>
      `<details${name === 'task' ? ' open' : ''}><summary>By ${html(name)}</summary>${scoreTable(name, rows)}</details>`,
  )
  return framePage({
    title: `${heading.model}, ${benchmark}: ${percent(scores[0]?.mean ?? Number.NaN)} %`,
    body: `<header>
${overview(summary, heading)}
</header>
<section>
<h2>Averages</h2>
${scoreTable('average', scores)}
<p class="note wide">Blue is the accuracy with its interval, red is guessing.</p>
${repeatsMarkup(summary)}${gradesMarkup(summary)}${byTable.join('\n')}
<details><summary>Recipe, data and speed</summary>
${facts(summary)}
</details>
</section>
<section>
<h2>Answers</h2>
${habitsSection(habitsOf(results))}
</section>`,
    items: byQuestion(results).map(itemOfQuestion),
    marks: [
      ...Object.keys(summary.outcomes).map(outcome => markOf(outcome as keyof Summary['outcomes'])), // its own keys
      mixed,
    ],
    names: summary.repeats
      ? Array.from({ length: summary.repeats.answers }, (_, i) => `answer ${i + 1}`)
      : [heading.model],
    sheets,
  })
}

function overview(summary: Summary, { model, profile, date, details }: Heading): string {
  const { benchmark, scores, done, expected, shard, outcomes, unparsedRate, drawn } = summary
  const [headline] = scores
  const { name = '', mean = Number.NaN, low = null, high = null, chance = Number.NaN } = headline ?? {}
  const interval = low === null || high === null ? '' : `95 % interval ${percent(low)} to ${percent(high)}; `
  const complete =
    done === expected
      ? `${done.toLocaleString('en')} questions`
      : `<b class="bad">incomplete: ${done} of ${expected} questions</b>`
  const bars = Object.entries(outcomes)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => {
      // its own keys
      const mark = markOf(outcome as keyof Summary['outcomes'])
      return `<i class="${mark.replace(' ', '-')}" style="flex:${count}" title="${mark}: ${count}"></i>`
    })
  const trouble =
    summary.trouble === undefined
      ? ''
      : `<p class="bad">Do not trust this score: ${html(summary.trouble)}.</p>\n`
  return `${trouble}<h1>${html(model)} on ${html(benchmark)}</h1>
<p class="about">${html([profile, date, `shard ${shard}`].filter(Boolean).join(' · '))} · ${complete}</p>
${details.length === 0 ? '' : `<p class="about">${html(details.join(' · '))}</p>\n`}<p class="big">${summary.repeats ? withDeviation({ mean, deviation: summary.repeats.deviation }) : percent(mean)} %<small> ${html(averageName(name))}</small></p>
<p>${interval}guessing ${percent(chance)} %. Unreadable: ${percent(unparsedRate)} %${drawn > 0 ? `, ${drawn} letters drawn at random` : ''}.</p>
<div class="bar">${bars.join('')}</div>`
}

/** The repeats of a question are one row. */
function itemOfQuestion(answers: readonly Result[]): PageItem {
  const first = at(answers, 0)
  const isMixed = answers.some(({ outcome }) => outcome !== first.outcome)
  return itemOf(first, isMixed ? mixed : markOf(first.outcome), answers.slice(1))
}

const mixed = 'mixed'

const repeatsMarkup = ({ repeats }: Summary): string =>
  repeats
    ? `<h3>Several answers to each question</h3>\n<table><tbody>${describeRepeats(repeats)
        .map(([name, value]) => `<tr><th scope="row">${html(name)}</th><td>${html(value)}</td></tr>`)
        .join('')}</tbody></table>\n`
    : ''

const gradesMarkup = ({ grades }: Summary): string =>
  grades
    ? `<h3>Grades</h3>\n<ul>${describeGrades(grades)
        .map(line => `<li>${html(line)}</li>`)
        .join('')}</ul>\n`
    : ''

function facts({ recipe, excluded, findings, unwinnable, speed }: Summary): string {
  const { decode, encode, generate } = speed.secondsPerClip
  const seconds = (value: number | null) => (value === null ? '–' : `${value.toPrecision(3)} s`)
  const lines: [string, string][] = [
    ...Object.entries(recipe).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
    ['unwinnable (no right answer to compare with, so they count as wrong)', String(unwinnable)],
    ...excluded.map(({ reason, count }): [string, string] => ['not asked', `${count}: ${reason}`]),
    ...findings.map(({ code, count }): [string, string] => [`data: ${code}`, String(count)]),
    ['a clip costs', `decode ${seconds(decode)}, encode ${seconds(encode)}, generate ${seconds(generate)}`],
    ['tokens', `${speed.tokens}, ${speed.tokensPerSecond?.toPrecision(3) ?? '–'} a second`],
  ]
  return `<dl>${lines.map(([name, value]) => `<dt>${html(name)}</dt><dd>${html(value)}</dd>`).join('')}</dl>`
}

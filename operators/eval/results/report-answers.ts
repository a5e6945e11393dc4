import { percent } from './percent.ts'
import { html } from './report-frame.ts'
import { isCut, type TagState, tagStates, tagsOf } from './report-items.ts'
import type { Result } from './result.ts'

/** How a model answers, whether right or wrong. */
export interface AnswerHabits {
  /** Letters of all questions, in order. */
  letters: readonly string[]
  /** Questions by their true letter and the letter that was said; `none` where there is none. */
  counts: ReadonlyMap<string, ReadonlyMap<string, number>>
  lengths: Lengths | null
  tags: Readonly<Record<TagState, number>>
}

/** Tokens of the outputs. */
export interface Lengths {
  median: number
  ninetieth: number
  longest: number
  cut: number
  outputs: number
  /** Outputs of `least` to `most` tokens. */
  bins: readonly { least: number; most: number; count: number }[]
}

export function habitsOf(results: readonly Result[]): AnswerHabits {
  const counts = new Map<string, Map<string, number>>()
  for (const { answer, chosen } of results.filter(({ letters }) => letters.length > 0)) {
    const row = counts.get(answer ?? 'none') ?? new Map<string, number>()
    row.set(chosen ?? 'none', (row.get(chosen ?? 'none') ?? 0) + 1)
    counts.set(answer ?? 'none', row)
  }
  const outputs = results.flatMap(({ output }) => output ?? [])
  const states = outputs.map(tagsOf)
  // every state is a key
  const tags = Object.fromEntries(
    tagStates.map(state => [state, states.filter(one => one === state).length]),
  ) as Record<TagState, number>
  const letters = [...new Set(results.flatMap(result => result.letters))].sort()
  return { letters, counts, lengths: lengthsOf(results), tags }
}

const mostBins = 32

function lengthsOf(results: readonly Result[]): Lengths | null {
  const answered = results.filter(({ output }) => output !== null)
  const tokens = answered.map(result => result.tokens).sort((one, other) => one - other)
  const longest = tokens.at(-1)
  if (longest === undefined) return null
  const at = (share: number) => tokens[Math.ceil(share * tokens.length) - 1] ?? longest
  const width = Math.max(1, Math.ceil((longest + 1) / mostBins))
  const bins = Array.from({ length: Math.ceil((longest + 1) / width) }, (_, i) => ({
    least: i * width,
    most: (i + 1) * width - 1,
    count: 0,
  }))
  for (const count of tokens) {
    const bin = bins[Math.floor(count / width)]
    if (bin) bin.count++
  }
  const cut = answered.filter(isCut).length
  return { median: at(0.5), ninetieth: at(0.9), longest, cut, outputs: tokens.length, bins }
}

/** The habits as a part of the page; each number links to its questions. */
export function habitsSection(habits: AnswerHabits): string {
  return `<div class="pair"><div>${letterTable(habits)}</div><div>${lengthChart(habits)}${tagTable(habits)}</div></div>`
}

function letterTable({ letters, counts }: AnswerHabits): string {
  const count = (answer: string, chosen: string) => counts.get(answer)?.get(chosen) ?? 0
  const rows = [...letters, ...(counts.has('none') ? ['none'] : [])]
  const columns = [...letters, 'none']
  const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0)
  const all = sum(rows.map(row => sum(columns.map(column => count(row, column)))))
  const cell = (row: string, column: string) => {
    const value = count(row, column)
    const inRow = sum(columns.map(one => count(row, one)))
    const shade = inRow === 0 ? 0 : Math.round((value / inRow) * 60)
    const link = `<a href="#answer=${encodeURIComponent(row)}&amp;chosen=${encodeURIComponent(column)}">${value}</a>`
    const diagonal = row === column && row !== 'none' ? ' class="diagonal"' : ''
    return `<td${diagonal} style="background:rgb(74 127 193/${shade}%)">${link}</td>`
  }
  const share = (value: number) =>
    `<td><span>${all === 0 ? '–' : `${percent(value / all)}<small class="wide"> %</small>`}</span></td>`
  const body = rows.map(row => {
    const cells = columns.map(column => cell(row, column))
    return `<tr><th scope="row">${html(row)}</th>${cells.join('')}${share(sum(columns.map(column => count(row, column))))}</tr>`
  })
  const said = columns.map(column => share(sum(rows.map(row => count(row, column)))))
  const head = columns.map(column => `<th>${html(column)}</th>`)
  return `<h3>Letters: true (rows) and said (columns)</h3>
<div class="scroll"><table class="letters"><thead><tr><th></th>${head.join('')}<th>share<small class="narrow"> %</small></th></tr></thead><tbody>${body.join('')}
<tr><th scope="row">said</th>${said.join('')}<td></td></tr></tbody></table></div>
<p class="note">A model that prefers a place among the options says one letter more often than it is true.</p>`
}

function lengthChart({ lengths }: AnswerHabits): string {
  if (!lengths) return '<h3>Lengths</h3><p class="note">There is no output.</p>'
  const { median, ninetieth, longest, cut, outputs, bins } = lengths
  const most = Math.max(...bins.map(({ count }) => count))
  const bars = bins.map(({ least, most: last, count }) => {
    const height = Math.round((count / most) * 100)
    return `<a href="#least=${least}&amp;most=${last}" title="${least} to ${last} tokens: ${count}" style="height:${height}%"></a>`
  })
  return `<h3>Lengths in tokens</h3>
<div class="lengths">${bars.join('')}</div><div class="scale"><span>0</span><span>${longest}</span></div>
<p>Median ${median}, 90 % up to ${ninetieth}, longest ${longest}. <a href="#flag=cut">Cut at the limit</a>: ${cut} of ${outputs} (${percent(cut / outputs)} %).</p>`
}

function tagTable({ tags }: AnswerHabits): string {
  const all = Object.values(tags).reduce((total, one) => total + one, 0)
  if (all === 0) return ''
  const texts: Readonly<Record<TagState, string>> = {
    closed: 'thought and answer, both closed',
    'answer alone': 'an answer without a thought',
    'thought alone': 'a thought without an answer',
    'left open': '<a href="#flag=tag+left+open">a tag left open</a>',
    'no tags': 'no tags',
  }
  const rows = tagStates
    .filter(state => tags[state] > 0)
    .map(
      state =>
        `<tr><th scope="row">${texts[state]}</th><td>${tags[state]}</td><td>${percent(tags[state] / all)} %</td></tr>`,
    )
  return `<h3>Tags</h3><table><tbody>${rows.join('')}</tbody></table>`
}

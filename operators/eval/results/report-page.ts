import { gzipSync } from 'node:zlib'
import { script, style } from './report-assets.ts'
import { percent } from './report-text.ts'
import type { Result } from './result.ts'
import type { Score, Summary } from './summary.ts'

/** A page that needs nothing but itself: questions packed inside, contact sheets as data. */
export function page(
  summary: Summary,
  results: readonly Result[],
  sheets: ReadonlyMap<string, string>,
): string {
  const items = results.map(({ id, tasks, groups, clip, options, letters, answer, ...rest }) => {
    const {
      outcome,
      chosen,
      drawn,
      output,
      tokens,
      finished,
      prompt,
      indices,
      framesPerSecond,
      sheet,
      message,
    } = rest
    const shown = { id, tasks, groups, clip, options, letters, answer, outcome, chosen, drawn, output }
    return {
      ...shown,
      tokens,
      finished,
      prompt: prompt ?? rest.question,
      indices,
      framesPerSecond,
      sheet,
      message,
    }
  })
  const packed = gzipSync(JSON.stringify(items), { level: 9 }).toString('base64')
  const title = `${summary.benchmark}: ${percent(summary.scores[0]?.mean ?? Number.NaN)} %`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
${overview(summary)}
</header>
<section>
<h2>Averages</h2>
${scoreTable('average', summary.scores)}
${summary.tables.map(({ name, rows }) => `<details${name === 'task' ? ' open' : ''}><summary>By ${html(name)}</summary>${scoreTable(name, rows)}</details>`).join('\n')}
<details><summary>Recipe, data and speed</summary>
${facts(summary)}
</details>
</section>
<section>
<h2>Questions</h2>
<div class="filters" id="filters" role="group" aria-label="Filter by outcome"></div>
<input id="search" type="search" placeholder="Search ids, tasks, words" aria-label="Search">
<p id="count" role="status"></p>
<div id="items"></div>
<button id="more" type="button">Show more</button>
</section>
<script type="application/octet-stream" id="data">${packed}</script>
<script type="application/json" id="sheets">${JSON.stringify(Object.fromEntries(sheets))}</script>
<script>${script}</script>
</body>
</html>
`
}

function overview({
  benchmark,
  scores,
  done,
  expected,
  shard,
  outcomes,
  unparsedRate,
  drawn,
}: Summary): string {
  const [headline] = scores
  const { name = '', mean = Number.NaN, low = null, high = null, chance = Number.NaN } = headline ?? {}
  const interval = low === null || high === null ? '' : `95 % interval ${percent(low)} to ${percent(high)}; `
  const complete =
    done === expected
      ? `${done} questions`
      : `<b class="bad">incomplete: ${done} of ${expected} questions</b>`
  const bars = Object.entries(outcomes)
    .filter(([, count]) => count > 0)
    .map(
      ([outcome, count]) => `<i class="${outcome}" style="flex:${count}" title="${outcome}: ${count}"></i>`,
    )
  return `<h1>${html(benchmark)}</h1>
<p class="big">${percent(mean)} %<small> ${html(label(name))}</small></p>
<p>${interval}guessing ${percent(chance)} %. ${complete}, shard ${shard}. Unreadable: ${percent(unparsedRate)} %${drawn > 0 ? `, ${drawn} letters drawn at random` : ''}.</p>
<div class="bar">${bars.join('')}</div>`
}

const label = (name: string): string => averages[name] ?? name.replace(/^groups\./, 'mean by ')

const averages: Readonly<Record<string, string>> = { micro: 'of all questions', tasks: 'mean of the tasks' }

function scoreTable(title: string, scores: readonly Score[]): string {
  const rows = scores.map(({ name, mean, low, high, chance, observations, clusters }) => {
    const shown = low !== null && high !== null
    const interval = shown ? `${percent(low)} to ${percent(high)}` : '–'
    const left = Math.max(0, shown ? low : mean) * 100
    const width = shown ? Math.min(100, high * 100) - left : 0
    const chart = `<span class="chart"><i style="left:${left.toFixed(1)}%;width:${width.toFixed(1)}%"></i><b style="left:${(mean * 100).toFixed(1)}%"></b><u style="left:${(chance * 100).toFixed(1)}%"></u></span>`
    const cells = [percent(mean), interval, percent(chance), observations, clusters]
    return `<tr><th scope="row">${html(label(name))}</th><td class="wide">${chart}</td>${cells.map((cell, i) => `<td${i === 4 ? ' class="wide"' : ''}>${cell}</td>`).join('')}</tr>`
  })
  return `<table><thead><tr><th>${html(title)}</th><th class="wide"></th><th>%</th><th>95 %</th><th>chance</th><th>n</th><th class="wide">clips</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

function facts({ recipe, excluded, findings, unwinnable, speed }: Summary): string {
  const { decode, encode, generate } = speed.secondsPerClip
  const seconds = (value: number | null) => (value === null ? '–' : `${value.toPrecision(3)} s`)
  const lines: [string, string][] = [
    ...Object.entries(recipe).map(([name, value]): [string, string] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
    ['unwinnable', String(unwinnable)],
    ...excluded.map(({ reason, count }): [string, string] => ['not asked', `${count}: ${reason}`]),
    ...findings.map(({ code, count }): [string, string] => [`data: ${code}`, String(count)]),
    ['a clip costs', `decode ${seconds(decode)}, encode ${seconds(encode)}, generate ${seconds(generate)}`],
    ['tokens', `${speed.tokens}, ${speed.tokensPerSecond?.toPrecision(3) ?? '–'} a second`],
  ]
  return `<dl>${lines.map(([name, value]) => `<dt>${html(name)}</dt><dd>${html(value)}</dd>`).join('')}</dl>`
}

const html = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { packageFolder } from '../../../engine/shared/package-folder.ts'
import { percent } from './percent.ts'
import type { PageItem } from './report-items.ts'
import type { Score } from './summary.ts'

/** A page with a list of questions. */
export interface Page {
  title: string
  /** Markup above the questions. */
  body: string
  items: readonly PageItem[]
  /** Marks of the items, in the order of their buttons. */
  marks: readonly string[]
  /** What the answers of an item are called where it has several. */
  names: readonly string[]
  /** Contact sheets as base64, by the names that the items have for them. */
  sheets: ReadonlyMap<string, string>
}

/**
 * A page that needs nothing but itself: the questions are packed inside, pictures are data. Texts of models reach it
 * packed, and become text nodes; its policy allows one script, by its digest, and no connection.
 */
export function framePage({ title, body, items, marks, names, sheets }: Page): string {
  const data = gzipSync(JSON.stringify({ items, marks, names }), { level: 9 }).toString('base64')
  const script = pageScript()
  const digest = createHash('sha256').update(script).digest('base64')
  const policy = `default-src 'none'; script-src 'sha256-${digest}'; style-src 'unsafe-inline'; img-src data: file: 'self'`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>
${readAsset('style.css')}</style>
</head>
<body>
${body}
<section id="questions">
<h2>Questions</h2>
<div id="controls"></div>
<div class="found"><span id="count" role="status">Unpacking the questions.</span><button id="reset" type="button" hidden>Show all</button></div>
<div id="items"></div>
<p id="end" class="note">More rows follow.</p>
</section>
<script type="application/octet-stream" id="data">${data}</script>
<script type="application/json" id="sheets">${JSON.stringify(Object.fromEntries(sheets)).replaceAll('<', '\\u003c')}</script>
<script>${script}</script>
</body>
</html>
`
}

/** Text that means itself in markup. */
export const html = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

/** A name in a narrow column: it may be broken after an underscore. */
export const breakable = (name: string): string => html(name).replaceAll('_', '_<wbr>')

/** Rows of scores with their intervals, drawn and in numbers. */
export function scoreTable(title: string, scores: readonly Score[]): string {
  const rows = scores.map(({ name, mean, low, high, chance, observations, clusters }) => {
    const shown = low !== null && high !== null
    const interval = shown ? `${percent(low)} to ${percent(high)}` : '–'
    const left = Math.max(0, shown ? low : mean) * 100
    const width = shown ? Math.min(100, high * 100) - left : 0
    const chart = `<span class="chart"><i style="left:${left.toFixed(1)}%;width:${width.toFixed(1)}%"></i><b style="left:${(mean * 100).toFixed(1)}%"></b><u style="left:${(chance * 100).toFixed(1)}%"></u></span>`
    const cells = [percent(mean), interval, percent(chance), observations, clusters]
    return `<tr><th scope="row">${breakable(averageName(name))}</th><td class="wide">${chart}</td>${cells.map((cell, i) => `<td${i === 2 || i === 4 ? ' class="wide"' : ''}>${cell}</td>`).join('')}</tr>`
  })
  return `<table class="scores"><thead><tr><th>${html(title)}</th><th class="wide"></th><th>%</th><th>95 %</th><th class="wide">chance</th><th>n</th><th class="wide">clips</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

/** An average in words. */
export const averageName = (name: string): string =>
  averages.get(name) ?? name.replace(/^groups\./, 'mean by ')

const averages = new Map([
  ['micro', 'of all questions'],
  ['tasks', 'mean of the tasks'],
])

/** In the order in which one may use another. */
const modules = ['state.js', 'row.js', 'controls.js', 'main.js'] as const

/** The modules of the page as one script: in one file they need neither imports nor exports. */
function pageScript(): string {
  const texts = modules.map(name =>
    readAsset(name)
      .replaceAll(/^import [^']*'[^']*'\n/gm, '')
      .replaceAll(/^export /gm, ''),
  )
  return `'use strict'\n${texts.join('\n')}`
}

const readAsset = (name: string): string =>
  readFileSync(join(packageFolder, 'operators/eval/results/page', name), 'utf8')

import type { Status } from '../status.ts'
import { drawCurve, number, type Series } from './curve.ts'
import { drawGraph, escapeMarkup } from './graph-drawing.ts'

/** The page as one text, without scripts and without anything to load. */
export function reportPage({ manifest, status, series, constants, samples, sampleCount }: Report): string {
  const title = `${text(manifest.graph) || 'run'}: ${text(manifest.status) || 'running'}`
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>${escapeMarkup(title)}</title><style>${style}</style></head><body>`,
    `<h1>${escapeMarkup(text(manifest.graph) || 'run')}</h1>`,
    `<p class="summary">${escapeMarkup(text(manifest.summary))}</p>`,
    facts(manifest),
    errorOf(manifest),
    ...section('Curves', series.length > 0 && `<div class="curves">${series.map(drawCurve).join('')}</div>`),
    constants.length > 0
      ? `<p class="constants">Never changed: ${constants.map(({ name, points }) => `<code>${escapeMarkup(name)} ${points.slice(0, 1).map(({ value }) => number(value))}</code>`).join(' ')}</p>`
      : '',
    ...section('Nodes', status && nodeTable(status)),
    ...section('Graph', status && `<div class="wide">${graphOf(status)}</div>`),
    ...section('Samples', samples.length > 0 && sampleTable(samples, sampleCount)),
    ...section(
      'Configuration',
      details('Parameters', manifest.params, true) +
        details('Graph as it ran', manifest.resolved) +
        details('Versions', manifest.versions),
    ),
    '</body></html>',
  ].join('\n')
}

const section = (title: string, body: string | false | undefined): string[] =>
  body ? [`<h2>${title}</h2>`, body] : []

function facts(manifest: Entry): string {
  const { adapter, git } = manifest
  const rows: [string, string][] = [
    ['status', text(manifest.status)],
    ['started', text(manifest.started).replace('T', ' ').slice(0, 19)],
    ['seconds', typeof manifest.seconds === 'number' ? manifest.seconds.toFixed(1) : ''],
    ['seed', text(manifest.seed)],
    [
      'adapter',
      typeof adapter === 'object' && adapter !== null ? adapterName(adapter as Entry) : text(adapter),
    ],
    ['platform', text(manifest.platform)],
    ['code', typeof git === 'object' && git !== null && 'commit' in git ? text(git.commit).slice(0, 10) : ''],
    ['items done', text(manifest.acknowledged)],
    ['skipped', text(manifest.skipped)],
    ['dropped', text(manifest.dropped)],
  ]
  const shown = rows.filter(([, value]) => value !== '')
  return `<dl class="facts">${shown.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeMarkup(value)}</dd></div>`).join('')}</dl>`
}

const adapterName = ({ description, device, family }: Entry): string =>
  [text(description) || text(device), text(family) && `${text(family)} kernels`].filter(Boolean).join(', ')

function errorOf({ error }: Entry): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return ''
  return `<p class="error">${escapeMarkup(text(error.message))}</p>`
}

function nodeTable({ nodes }: Status): string {
  const rows = nodes.map(
    ({ name, operator, items, rate, workSeconds, working, blocked, waiting, blockedBy }) => {
      const bar = `<span class="bar" title="${percent(working)} working, ${percent(blocked)} waiting for room, ${percent(waiting)} waiting for input"><i style="width:${percent(working)}"></i><b style="width:${percent(blocked)}"></b></span>`
      return row([
        ['node', escapeMarkup(name)],
        ['operator', escapeMarkup(operator)],
        ['items', String(items)],
        ['a second', number(rate)],
        ['work', `${workSeconds.toFixed(2)} s`],
        ['time', bar],
        ['waits for', escapeMarkup(blockedBy ?? '')],
      ])
    },
  )
  const head = ['node', 'operator', 'items', 'a second', 'work', 'working, waiting for room', 'waits for']
  return `<table><thead><tr>${head.map(name => `<th>${name}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table>`
}

const percent = (share: number): string => `${Math.round(share * 100)}%`

function graphOf({ nodes, edges }: Status): string {
  return drawGraph({
    boxes: nodes.map(({ name, operator }) => ({ name, detail: operator })),
    arrows: edges.map(({ from, to, name, feedback }) => ({ from, to, label: name, feedback })),
  })
}

/** Short values become columns; long texts and pictures share the last column, one below the other. */
function sampleTable(samples: readonly Sample[], count: number): string {
  const flat = samples.map(({ entry, why, pictures }) => ({
    cells: flatten({ shown: why, ...entry }),
    pictures,
  }))
  const names = [...new Set(flat.flatMap(({ cells }) => [...cells.keys()]))]
  const isLong = (name: string) =>
    flat.some(({ cells, pictures }) => (cells.get(name) ?? '').length > 40 || pictures.has(name))
  const short = names.filter(name => !isLong(name))
  const long = names.filter(isLong)
  const rows = flat.map(({ cells, pictures }) => {
    const texts = long.flatMap(name => {
      const value = cells.get(name)
      const content = shown(value ?? '', pictures.get(name))
      return value ? [`<div class="long"><span>${escapeMarkup(name)}</span>${content}</div>`] : []
    })
    return row([
      ...short.map(name => [name, escapeMarkup(cells.get(name) ?? '')] as const),
      ['', texts.join('')],
    ])
  })
  const head = [...short, ''].map(name => `<th>${escapeMarkup(name)}</th>`)
  return `<p>${samples.length} of ${count}: the best, the worst and the newest.</p><div class="wide"><table class="samples"><thead><tr>${head.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

const shown = (value: string, picture: string | undefined): string =>
  picture === undefined
    ? `<p>${escapeMarkup(value)}</p>`
    : `<img alt="" src="data:image/jpeg;base64,${picture}">`

/** Objects in objects as `outer.inner`, everything as text. */
function flatten(entry: Entry, prefix = ''): Map<string, string> {
  const cells = new Map<string, string>()
  for (const [name, value] of Object.entries(entry)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      for (const [inner, one] of flatten(value as Entry, `${prefix}${name}.`)) cells.set(inner, one)
    else cells.set(prefix + name, typeof value === 'number' ? number(value) : text(value))
  }
  return cells
}

const row = (cells: readonly (readonly [string, string])[]): string =>
  `<tr>${cells.map(([name, cell]) => `<td data-name="${escapeMarkup(name)}">${cell}</td>`).join('')}</tr>`

function details(title: string, value: unknown, open = false): string {
  if (value === undefined || value === null) return ''
  return `<details${open ? ' open' : ''}><summary>${title}</summary><pre>${escapeMarkup(JSON.stringify(value, null, 2))}</pre></details>`
}

function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const style = `
:root{color-scheme:light dark;--ink:#1d2330;--soft:#667085;--paper:#fff;--fill:#f4f6fa;--line:#dde2ea;--main:#2563eb;--warm:#d97706}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf0;--soft:#9aa4b5;--paper:#161a21;--fill:#20252f;--line:#343b48;--main:#7aa2ff;--warm:#f0a94a}}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1240px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:22px;margin:0;overflow-wrap:anywhere}h2{font-size:17px;margin:36px 0 12px}
.summary{color:var(--soft);margin:4px 0 16px}
.facts{display:flex;flex-wrap:wrap;gap:8px 28px;margin:0}.facts dt{font-size:12px;color:var(--soft)}.facts dd{margin:0;font-weight:600;overflow-wrap:anywhere}
.error{border-left:3px solid #dc2626;padding:8px 12px;background:var(--fill);white-space:pre-wrap;overflow-wrap:anywhere}
.curves{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,270px),1fr));gap:14px}
figure{margin:0;padding:10px 10px 6px;border:1px solid var(--line);border-radius:8px}
figcaption{display:flex;justify-content:space-between;gap:10px;font-size:13px;overflow-wrap:anywhere}
figure svg{display:block;width:100%;height:auto}
figure text{font:11px system-ui,sans-serif;fill:var(--soft)}figure .end{text-anchor:end}
.axis{stroke:var(--line)}polyline{fill:none;stroke-linejoin:round}
.curve{stroke:var(--main);stroke-width:2}.raw{stroke:var(--main);stroke-width:1;opacity:.35}
.constants{color:var(--soft);font-size:13px}.constants code{white-space:nowrap;margin-right:10px}
table{border-collapse:collapse;width:100%;font-size:13px}
th{text-align:left;font-weight:600;color:var(--soft);border-bottom:1px solid var(--line);padding:4px 12px 4px 0;white-space:nowrap}
td{border-bottom:1px solid var(--line);padding:6px 8px 6px 0;vertical-align:top;font-variant-numeric:tabular-nums}
.long{margin-bottom:6px;min-width:280px;max-width:640px}.long span{font-size:11px;color:var(--soft)}.long p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;max-height:9em;overflow:auto}
.long img{max-width:100%}
.bar{display:inline-flex;width:120px;height:10px;background:var(--fill);border-radius:3px;overflow:hidden}
.bar i{background:var(--main)}.bar b{background:var(--warm)}
.wide{overflow-x:auto}.graph{max-width:none}
pre{background:var(--fill);padding:12px;border-radius:8px;overflow:auto;font-size:12px}summary{cursor:pointer;margin:6px 0}
@media(max-width:700px){
.long{min-width:0}
body{padding:16px 14px 40px}thead{display:none}
tr{display:block;padding:8px 0;border-bottom:1px solid var(--line)}
td{display:inline-block;border:0;padding:2px 14px 2px 0}td[data-name=""]{display:block}
td:empty{display:none}td[data-name]:not([data-name=""])::before{content:attr(data-name);display:block;font-size:11px;color:var(--soft)}
}`

/** One line of a stream. */
export type Entry = Readonly<Record<string, unknown>>

/** The data that the page shows. */
export interface Report {
  manifest: Entry
  status: Status | undefined
  series: Series[]
  /** Numbers that never changed. */
  constants: Series[]
  samples: Sample[]
  /** How many there are in all. */
  sampleCount: number
}

export interface Sample {
  entry: Entry
  why: 'newest' | 'best' | 'worst'
  /** JPEG files as base64, by the fields that name them. */
  pictures: ReadonlyMap<string, string>
}

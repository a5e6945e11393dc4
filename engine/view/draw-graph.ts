import { layOut } from './layout.ts'

/** A graph to be drawn: boxes, and arrows between them by name. */
export interface Drawing {
  boxes: readonly { name: string; detail: string }[]
  arrows: readonly { from: string; to: string; label?: string; feedback: boolean }[]
}

const box = { width: 168, height: 44 }

/** Draws a graph from top to bottom as SVG. */
export function drawGraph({ boxes, arrows }: Drawing): string {
  const { places, paths, width, height } = layOut(
    boxes.map(({ name }) => ({ name, ...box })),
    arrows,
  )
  const lines = arrows.map(({ from, to, label, feedback }, i) =>
    pathOf(
      feedback ? 'arrow feedback' : 'arrow',
      paths[i] ?? '',
      `${from} → ${to}${label ? `: ${label}` : ''}`,
    ),
  )
  const rects = boxes.flatMap(({ name, detail }) => {
    const place = places.get(name)
    if (!place) return []
    const { x } = place
    const y = place.y - box.height / 2
    return [
      `<rect x="${x - box.width / 2}" y="${y}" width="${box.width}" height="${box.height}" rx="6"/>`,
      `<text class="name" x="${x}" y="${y + 19}">${escapeMarkup(short(name))}<title>${escapeMarkup(name)}</title></text>`,
      `<text class="detail" x="${x}" y="${y + 35}">${escapeMarkup(short(detail))}</text>`,
    ]
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    style,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
    '<path d="M0 0L8 4L0 8z"/></marker></defs>',
    ...lines,
    ...rects,
    '</svg>',
  ].join('\n')
}

const style = `<style>
.graph{font:13px system-ui,sans-serif;--ink:#1d2330;--soft:#667085;--fill:#f4f6fa;--line:#9aa4b5}
@media(prefers-color-scheme:dark){.graph{--ink:#e8ebf0;--soft:#9aa4b5;--fill:#242a35;--line:#6b7688}}
.graph rect{fill:var(--fill);stroke:var(--line)}
.graph .arrow{fill:none;stroke:var(--line);stroke-width:1.5}
.graph .feedback{stroke-dasharray:5 4}
.graph marker path{fill:var(--line)}
.graph text{text-anchor:middle;fill:var(--ink)}
.graph .name{font-weight:600}
.graph .detail{fill:var(--soft);font-size:11px}
</style>`

const pathOf = (kind: string, d: string, title: string): string =>
  `<path class="${kind}" d="${d}" marker-end="url(#head)"><title>${escapeMarkup(title)}</title></path>`

const short = (text: string): string => (text.length > 23 ? `…${text.slice(-22)}` : text)

export const escapeMarkup = (text: string): string =>
  text.replace(/[&<>"]/g, found => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[found] ?? '&quot;')

/** A graph to be drawn: boxes, and arrows between them by name. */
export interface Drawing {
  boxes: readonly { name: string; detail: string }[]
  arrows: readonly { from: string; to: string; label?: string; feedback: boolean }[]
}

const box = { width: 168, height: 44 }
/** Of an arrow that passes a layer. */
const passing = 28
const gap = { x: 28, y: 36 }
const margin = 16

/** Draws a graph from top to bottom as SVG: layers by the longest way from a source; arrows pass layers next to the boxes. */
export function drawGraph({ boxes, arrows }: Drawing): string {
  const forward = arrows.filter(arrow => !arrow.feedback && arrow.from !== arrow.to)
  const depth = depths(
    boxes.map(({ name }) => name),
    forward,
  )
  const layers = Array.from({ length: Math.max(-1, ...depth.values()) + 1 }, (): string[] => [])
  for (const [name, layer] of depth) layers[layer]?.push(name)
  const ways = forward.map(({ from, to, label }, i) => {
    const way = [from]
    for (let layer = (depth.get(from) ?? 0) + 1; layer < (depth.get(to) ?? 0); layer++) {
      way.push(`${i} passes ${layer}`)
      layers[layer]?.push(`${i} passes ${layer}`)
    }
    return { way: [...way, to], label }
  })
  const isBox = (name: string) => depth.has(name)
  const links = ways.flatMap(({ way }) => way.slice(1).map((to, i) => ({ from: way[i] ?? to, to })))
  const order = ordered(layers, links)
  const widthOf = (name: string) => (isBox(name) ? box.width : passing)
  const widths = order.map(layer => layer.reduce((sum, name) => sum + widthOf(name) + gap.x, -gap.x))
  const inner = Math.max(0, ...widths)
  const at = new Map<string, Place>()
  order.forEach((layer, row) => {
    let x = margin + (inner - (widths[row] ?? inner)) / 2
    for (const name of layer) {
      at.set(name, { x: x + widthOf(name) / 2, y: margin + row * (box.height + gap.y) })
      x += widthOf(name) + gap.x
    }
  })
  const back = arrows.filter(arrow => arrow.feedback || arrow.from === arrow.to)
  const paths = [
    ...ways.map(({ way, label }) =>
      arrow(
        way.flatMap(name => at.get(name) ?? []),
        label,
        way,
      ),
    ),
    ...back.flatMap(({ from, to, label }, lane) => {
      const [a, b] = [at.get(from), at.get(to)]
      return a && b ? [around(a, b, margin + inner + 18 + lane * 12, `${from} → ${to}: ${label ?? ''}`)] : []
    }),
  ]
  const width = 2 * margin + inner + (back.length > 0 ? 14 + back.length * 12 : 0)
  const height = 2 * margin + order.length * (box.height + gap.y) - gap.y
  const rects = boxes.flatMap(({ name, detail }) => {
    const place = at.get(name)
    if (!place) return []
    const { x, y } = place
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
    ...paths,
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

/** The middle of a box's upper edge. */
interface Place {
  x: number
  y: number
}

/** From the first box down to the last, past the layers between. */
function arrow(places: readonly Place[], label: string | undefined, way: readonly string[]): string {
  const [start, ...rest] = places
  if (!start) return ''
  let d = `M${start.x} ${start.y + box.height}`
  let from = start
  for (const place of rest) {
    const [y0, y1] = [from.y + box.height, place.y]
    d += `C${from.x} ${y0 + gap.y / 2} ${place.x} ${y1 - gap.y / 2} ${place.x} ${y1}`
    if (place !== rest[rest.length - 1]) d += `V${y1 + box.height}`
    from = place
  }
  return pathOf('arrow', d, `${way[0]} → ${way[way.length - 1]}${label ? `: ${label}` : ''}`)
}

/** Out of the right side of one box and into that of another, along a lane to the right of all boxes. */
function around(a: Place, b: Place, lane: number, title: string): string {
  const [x0, y0] = [a.x + box.width / 2, a.y + box.height / 2]
  const [x1, y1] = [b.x + box.width / 2, b.y + box.height / 2]
  const turn = 8 * Math.sign(y1 - y0)
  const d = `M${x0} ${y0}H${lane - 8}Q${lane} ${y0} ${lane} ${y0 + turn}V${y1 - turn}Q${lane} ${y1} ${lane - 8} ${y1}H${x1}`
  return pathOf('arrow feedback', d, title)
}

const pathOf = (kind: string, d: string, title: string): string =>
  `<path class="${kind}" d="${d}" marker-end="url(#head)"><title>${escapeMarkup(title)}</title></path>`

/** The layer of each name: the length of the longest path to it. */
function depths(names: readonly string[], arrows: Drawing['arrows']): Map<string, number> {
  const depth = new Map(names.map(name => [name, 0]))
  // as many rounds as the longest way; more would be a cycle, which the check of graphs excludes
  for (let round = 0; round < names.length; round++) {
    for (const { from, to } of arrows) {
      depth.set(to, Math.max(depth.get(to) ?? 0, Math.min(names.length - 1, (depth.get(from) ?? 0) + 1)))
    }
  }
  return depth
}

/** Orders each layer by the mean position of the predecessors, so that few arrows cross. */
function ordered(layers: readonly string[][], links: readonly { from: string; to: string }[]): string[][] {
  const place = new Map<string, number>()
  return layers.map(layer => {
    const wanted = (name: string) => {
      const before = links.filter(({ to }) => to === name).map(({ from }) => place.get(from) ?? 0)
      return before.reduce((sum, value) => sum + value, 0) / Math.max(before.length, 1)
    }
    const sorted = [...layer].sort((a, b) => wanted(a) - wanted(b))
    sorted.forEach((name, i) => {
      place.set(name, sorted.length === 1 ? 0.5 : i / (sorted.length - 1))
    })
    return sorted
  })
}

const short = (text: string): string => (text.length > 23 ? `…${text.slice(-22)}` : text)

export const escapeMarkup = (text: string): string =>
  text.replace(/[&<>"]/g, found => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[found] ?? '&quot;')

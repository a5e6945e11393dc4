/** One line of the picture: a value for each update. */
export interface Line {
  name: string
  colour: string
  values: readonly number[]
}

/** A greedy test before or after training: its share of right answers at an update. */
export interface Mark {
  name: string
  update: number
  value: number
  colour: string
}

/** The mean of each value with those before it, `span` in all or as many as there are. */
export function smooth(values: readonly number[], span: number): number[] {
  return values.map((_, i) => {
    const near = values.slice(Math.max(0, i + 1 - span), i + 1)
    return near.reduce((sum, value) => sum + value, 0) / near.length
  })
}

/** Lines over the updates with marks, as an SVG document; values are shares from 0 to 1. */
export function picture(title: string, lines: readonly Line[], marks: readonly Mark[]): string {
  const updates = Math.max(1, ...lines.map(line => line.values.length), ...marks.map(mark => mark.update))
  const x = (update: number) => round(left + (update / updates) * (width - left - right))
  const y = (value: number) => round(top + (1 - value) * (height - top - bottom))
  const text = (at: readonly [number, number], words: string, more = '') =>
    `<text x="${at[0]}" y="${at[1]}" ${more}>${words}</text>`
  const rules = [0, 0.25, 0.5, 0.75, 0.9, 1].flatMap(value => [
    `<path d="M${left} ${y(value)}H${width - right}" stroke="#8884"/>`,
    text([left - 6, y(value) + 4], `${Math.round(value * 100)} %`, 'text-anchor="end"'),
  ])
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(share => {
    const update = Math.round(share * updates)
    const [words, anchor] = share < 1 ? [String(update), 'middle'] : [`${update} updates`, 'end']
    return text([x(update), height - bottom + 16], words, `text-anchor="${anchor}"`)
  })
  const paths = lines.map(({ colour, values }) => {
    const points = values.map((value, i) => `${x(i + 1)} ${y(value)}`)
    return `<path d="M${points.join('L')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`
  })
  const names = [...new Map([...lines, ...marks].map(({ name, colour }) => [name, colour]))]
  const legend = names.flatMap(([name, colour], i) => [
    `<path d="M${left + 8 + i * 160} ${height - 10}h18" stroke="${colour}" stroke-width="3"/>`,
    text([left + 32 + i * 160, height - 6], name),
  ])
  const dots = marks.map(
    ({ update, value, colour }) => `<circle cx="${x(update)}" cy="${y(value)}" r="4" fill="${colour}"/>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#777">`,
    '<title>Right answers while training</title>',
    text([left, 18], title, 'font-size="14"'),
    ...rules,
    ...ticks,
    ...paths,
    ...dots,
    ...legend,
    '</svg>',
    '',
  ].join('\n')
}

const [width, height] = [720, 380]
const [left, right, top, bottom] = [52, 16, 32, 48]

const round = (value: number): number => Math.round(value * 10) / 10

/** What a model answers greedily to the test questions, as shares of them, and how long it took to get there. */
export interface Score {
  seen: number
  format: number
  /** With zeros instead of what it sees. */
  blind: number
  /** 0 where nothing was trained. */
  trainSeconds: number
  testSeconds: number
}

/** A model, or one for each seed; null where a run is missing. */
export interface Row {
  title: string
  seeds: readonly number[]
  scores: readonly (Score | null)[]
}

/** The table of the demonstration in Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`
  const seconds = ({ trainSeconds, testSeconds }: Score) =>
    [...(trainSeconds > 0 ? [trainSeconds] : []), testSeconds].map(value => value.toFixed(0)).join(' + ')
  const line = ({ title, seeds, scores }: Row) => {
    const column = (tell: (score: Score) => string) =>
      scores.map(score => (score ? tell(score) : 'not run')).join(' / ')
    const cells = [
      seeds.length > 0 ? `${title}, seed${seeds.length > 1 ? 's' : ''} ${seeds.join(', ')}` : title,
      column(score => percent(score.seen)),
      column(score => score.format.toFixed(3)),
      column(score => percent(score.blind)),
      column(seconds),
    ]
    return `| ${cells.join(' | ')} |`
  }
  return [
    '| model | right answers | format, of 1 | right answers, visual tokens zeroed | training + test, s |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map(line),
  ].join('\n')
}

/** Puts text between the marks `<!-- NAME -->` and `<!-- /NAME -->`, each on a line of its own. */
export function between(name: string, document: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->\n`, `\n<!-- /${name} -->`]
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the document must hold ${begin.trim()} and then ${end.trim()}`)
  return document.slice(0, from + begin.length) + text + document.slice(to)
}

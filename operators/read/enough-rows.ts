import type { Finding, Rows } from '../../engine/operator.ts'

/** What `flow check` says about a file of rows that can all be read: their number, and whether they are enough. */
export const rowRemarks = (rows: number, epochs: number, limit: number): (string | Finding | Rows)[] => [
  `${rows} rows; all were read`,
  { rows },
  ...tooFewRows(rows, epochs, limit),
]

/** A finding if the rows end before as many were taken as are asked for. `epochs` 0 repeats them, `limit` 0 takes all. */
export function tooFewRows(rows: number, epochs: number, limit: number): Finding[] {
  const most = rows * epochs
  if (epochs === 0 || limit <= most) return []
  const passes = epochs === 1 ? 'one pass' : `${epochs} passes`
  return [
    {
      field: 'limit',
      rule: `must be at most ${most}`,
      lines: [`the data has ${rows} rows, and they are read in ${passes}`],
      code: 'too-few-rows',
      endsEarly: true,
      remedy: 'ask for less (fewer steps), or allow more passes: --set epochs=0 repeats the data',
    },
  ]
}

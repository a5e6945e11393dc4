import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The objects in a file of a run directory. */
export const lines = (directory: string, file: string): unknown[] =>
  readFileSync(join(directory, file), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

/** A source that counts, a node that works, and a sink. */
export const chain = (count: number, work: object = {}, rest: object = {}) => ({
  count: { operator: 'range', config: { count } },
  work: { operator: 'work', config: work, from: { numbers: 'count.numbers' }, ...rest },
  end: { operator: 'collect', from: { items: 'work.numbers' } },
})

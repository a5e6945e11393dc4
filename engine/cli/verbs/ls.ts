import { statSync } from 'node:fs'
import { messageOf } from '../../shared/errors.ts'
import { table } from '../../shared/table.ts'
import { UsageError } from '../arguments.ts'
import { readFacts, runsIn } from '../run-facts.ts'
import { doneOf, graphOf, lastUpdates, modelsOf, resultOf, startOf } from '../run-words.ts'
import type { Verb } from '../verb.ts'

export const ls: Verb = {
  summary: `Lists runs, the oldest first, with scores or mean rewards of the last ${lastUpdates} updates.`,
  usage: '[DIR]',
  flags: {},
  example: 'npx flow ls runs',
  run: async ({ positional }, { print }) => {
    if (positional.length > 1) throw new UsageError(`must name one folder, found ${positional.join(' ')}`)
    const [folder = 'runs'] = positional
    const found = statSync(folder, { throwIfNoEntry: false })
    if (positional.length === 1 && !found?.isDirectory())
      throw new UsageError(
        `${folder}: must be a folder with runs in it, found ${found ? 'a file' : 'nothing'}`,
      )
    const rows = runsIn(folder).map(rowOf)
    if (rows.length === 0) print(`${folder}: no run in it`)
    else
      for (const line of table([['run', 'status', 'done', 'result', 'started', 'graph', 'model'], ...rows]))
        print(line)
    return 0
  },
}

function rowOf(path: string): string[] {
  try {
    const facts = readFacts(path)
    const { manifest, status } = facts
    const models = new Set(modelsOf(manifest).map(([, model]) => model))
    return [
      path,
      status,
      doneOf(facts),
      resultOf(facts),
      startOf(manifest),
      graphOf(manifest),
      [...models].join(', '),
    ]
  } catch (error) {
    return [path, `cannot be read: ${messageOf(error)}`]
  }
}

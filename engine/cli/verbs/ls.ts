import { statSync } from 'node:fs'
import { messageOf } from '../../shared/errors.ts'
import { number } from '../../shared/number.ts'
import { table } from '../../shared/table.ts'
import { UsageError } from '../arguments.ts'
import { readFacts, runsIn } from '../run-facts.ts'
import type { Verb } from '../verb.ts'

export const ls: Verb = {
  summary: 'Lists the runs in a folder, the oldest first.',
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
      for (const line of table([['run', 'status', 'steps', 'reward', 'loss', 'started', 'graph'], ...rows]))
        print(line)
    return 0
  },
}

function rowOf(path: string): string[] {
  try {
    const { manifest, status, steps, metrics } = readFacts(path)
    const shown = (name: string) => (metrics[name] === undefined ? '' : number(metrics[name]))
    const started =
      typeof manifest.started === 'string' ? manifest.started.slice(0, 16).replace('T', ' ') : ''
    return [
      path,
      status,
      String(steps),
      shown('reward'),
      shown('loss'),
      started,
      String(manifest.graph ?? ''),
    ]
  } catch (error) {
    return [path, `cannot be read: ${messageOf(error)}`]
  }
}

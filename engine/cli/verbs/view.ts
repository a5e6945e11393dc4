import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openView } from '../../view/server.ts'
import { UsageError } from '../arguments.ts'
import { type Verb, viewFlags } from '../verb.ts'

export const view: Verb = {
  summary:
    'Shows runs in a page that follows them: curves, completions with their frames, the graph at work.',
  usage: '[RUN…]',
  flags: viewFlags,
  example: 'npx flow view runs',
  run: async ({ positional, last }, { print }) => {
    const stated = positional.length > 0 ? positional : ['runs']
    const lacking = stated.find(folder => !existsSync(folder))
    if (lacking !== undefined) throw new UsageError(`${lacking}: must be a run, or a folder of runs`)
    const port = Number(last('port') ?? 0)
    if (!Number.isInteger(port) || port < 0 || port > 65535)
      throw new UsageError(`--port: must be a whole number from 0 to 65535, found "${last('port')}"`)
    const opened = await openView({
      host: last('host') ?? '127.0.0.1',
      port,
      control: last('control') !== undefined,
      runs: () => new Map(stated.flatMap(runsIn).map(folder => [folder, folder])),
      shown: () => (positional.length > 1 ? positional : stated.flatMap(runsIn).slice(-1)),
    })
    print(`${opened.address}`)
    await ended()
    opened.close()
    return 0
  },
}

/** The folder itself if it is a run or holds the results of an evaluation, else those in it, the newest last. */
function runsIn(folder: string): string[] {
  if (isRun(folder) || !existsSync(folder)) return [folder]
  const runs = readdirSync(folder).map(name => join(folder, name))
  return runs.filter(isRun).sort((a, b) => startOf(a).localeCompare(startOf(b)))
}

const isRun = (folder: string): boolean =>
  ['manifest.json', 'results'].some(name => existsSync(join(folder, name)))

/** Names of runs end with their time. */
const startOf = (folder: string): string => /\d{8}-\d{6}(-\d+)?$/.exec(folder)?.[0] ?? ''

/** Until somebody ends the view, or the run that started it. */
const ended = (): Promise<void> =>
  new Promise(done => {
    process.once('SIGINT', () => done())
    process.once('SIGTERM', () => done())
    process.once('disconnect', () => done())
  })

import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { packageFolder } from '../../shared/package-folder.ts'
import { openEditor } from '../../view/graph-editor.ts'
import { openView } from '../../view/server.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { pluginFlags } from '../plug.ts'
import { isRun, runsIn } from '../run-facts.ts'
import { type Verb, viewFlags } from '../verb.ts'

export const view: Verb = {
  summary: 'Shows runs in a page that follows them; with a graph file, also an editor of it.',
  usage: '[RUN…|GRAPH]',
  loads: 'graphs',
  flags: { ...viewFlags, ...pluginFlags },
  example: 'npx flow view runs',
  run: async (words, { print, registry, environment }) => {
    const { positional, last } = words
    const [file] = positional.filter(isGraph)
    if (file !== undefined && positional.length > 1)
      throw new UsageError(`${file}: must be the only word, or the words must name runs`)
    const stated = file === undefined && positional.length > 0 ? positional : ['runs']
    const lacking = file === undefined ? stated.find(folder => !existsSync(folder)) : undefined
    if (lacking !== undefined)
      throw new UsageError(
        `${lacking}: must be a run, a folder of runs, or a graph file, found nothing there`,
      )
    const other = stated.find(path => file === undefined && statSync(path).isFile())
    if (other !== undefined) {
      const page = other.endsWith('.html') ? '; a browser opens this file by itself' : ''
      throw new UsageError(
        `${other}: must be a run, a folder of runs, or a graph file, found another file${page}`,
        isShown(dirname(other)) ? `write ${dirname(other)}` : 'write the folder of a run',
      )
    }
    const started: string[] = []
    const runs = () => [...stated.flatMap(folder => runsIn(folder, isShown)).filter(existsSync), ...started]
    const mayWrite = last('edit') !== undefined
    const start = () => {
      const folder = startRun(file ?? '')
      started.push(folder)
      return folder
    }
    const opened = await openView({
      host: last('host') ?? '127.0.0.1',
      port: portOf(words),
      control: last('control') !== undefined,
      runs: () => new Map(runs().map(folder => [folder, folder])),
      shown: () => (file !== undefined ? started : positional.length > 1 ? positional : runs().slice(-1)),
      ...(file !== undefined && { editor: openEditor({ file, registry, environment, mayWrite, start }) }),
    })
    print(file === undefined ? opened.address : `${opened.address}#edit`)
    await ended()
    opened.close()
    return 0
  },
}

const isGraph = (word: string): boolean => word.endsWith('.json')

function portOf({ last }: Arguments): number {
  const port = Number(last('port') ?? 0)
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new UsageError(`--port: must be a whole number from 0 to 65535, found "${last('port')}"`)
}

/** Runs a graph in a process of its own, which goes on when the page is closed. */
function startRun(file: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')
  const folder = join('runs', `${basename(file, '.json')}-${time}`)
  const main = join(packageFolder, 'dist/engine/cli/main.js')
  const child = spawn(process.execPath, [main, 'run', file, '--out', folder], {
    stdio: 'ignore',
    detached: true,
  })
  child.unref()
  return folder
}

/** A run, or the results of an evaluation. */
const isShown = (folder: string): boolean => isRun(folder) || existsSync(join(folder, 'results'))

/** Until somebody ends the view, or the run that started it. */
const ended = (): Promise<void> =>
  new Promise(done => {
    process.once('SIGINT', () => done())
    process.once('SIGTERM', () => done())
    process.once('disconnect', () => done())
  })

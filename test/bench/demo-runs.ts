import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { packageFolder } from '../../engine/shared/package-folder.ts'

const graphs = join(packageFolder, 'graphs/demo')
export const coldStart = join(packageFolder, 'operators/shapes/cold-start')

/** Where runs are kept: other graphs or another checkpoint give another folder, so that old runs are never taken for new. */
export function runsFolder(): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(graphs).filter(name => name.endsWith('.json'))) {
    hash.update(name).update(readFileSync(join(graphs, name)))
  }
  hash.update(readFileSync(join(coldStart, 'model.safetensors')))
  return join(packageFolder, 'runs', `demo-${hash.digest('hex').slice(0, 8)}`)
}

/** Runs a graph of the demonstration as a child, from its beginning; throws when it does not complete. */
export function runGraph(graph: string, folder: string, seed: number, set: readonly string[]): void {
  rmSync(folder, { recursive: true, force: true })
  const file = join(graphs, `${graph}.json`)
  const words = ['run', file, '--seed', String(seed), '--out', folder, ...set.flatMap(one => ['--set', one])]
  console.error(`${folder}: ${graph}.json, seed ${seed}`)
  const { status } = spawnSync(process.execPath, [join(packageFolder, 'dist/engine/cli/main.js'), ...words], {
    cwd: packageFolder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  if (status !== 0) throw new Error(`demo: ${graph}.json ended with ${status}; its folder is ${folder}`)
}

/** What of a run's manifest is used here. */
interface Manifest {
  status: string
  seconds: number
  started: string
  adapter: { description: string }
}

export const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))

export const isDone = (folder: string): boolean =>
  existsSync(join(folder, 'manifest.json')) && manifestOf(folder).status === 'completed'

/** The lines that a run recorded, in order. */
export const metricsOf = (folder: string): Record<string, number>[] =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

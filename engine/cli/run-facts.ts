// What the files of a run's folder say about it, without running or loading anything.
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { at } from '../graph/file/graph-file.ts'
import { listCheckpoints, readState } from '../run/checkpoint/folder.ts'
import { isLeft } from '../shared/folder-lock.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import { UsageError } from './arguments.ts'
import { readStatus } from './live-run.ts'
import { runLockName } from './run-lock.ts'

export interface RunFacts {
  readonly directory: string
  readonly manifest: Readonly<Record<string, unknown>>
  /** `completed`, `failed`, `stopped` or `aborted`; `running`; `ended without notice` when its process is gone. */
  readonly status: string
  /** Number of the last step, or of lines of metrics. */
  readonly steps: number
  /** The newest value of each metric. */
  readonly metrics: Readonly<Record<string, number>>
}

/** What a command says of a path that is no run; of one within a run, which run it is. */
export function noRun(stated: string): UsageError {
  const above = [dirname(stated), dirname(dirname(stated)), dirname(dirname(dirname(stated)))]
  const around = above.find(folder => existsSync(join(folder, 'manifest.json')))
  const advice = around === undefined ? '"flow ls" lists the runs' : `write ${around}`
  return new UsageError(`${stated}: must be a run directory, found no manifest.json in it`, advice)
}

/** Reads a run's folder; a folder that is none is a mistake of the command. */
export function readFacts(directory: string): RunFacts {
  const path = join(directory, 'manifest.json')
  if (!existsSync(path)) throw noRun(directory)
  const manifest = readJsonObject(path)
  const metrics = newestMetrics(join(directory, 'metrics.jsonl'))
  return { directory, manifest, status: statusOf(directory, manifest), steps: metrics.step ?? 0, metrics }
}

/** The folders in a folder that hold a run, oldest first. */
export function runsIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const paths = readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .map(({ name }) => join(folder, name))
  const started = (path: string) =>
    String(safely(() => readJsonObject(join(path, 'manifest.json')))?.started ?? '')
  return paths
    .filter(path => existsSync(join(path, 'manifest.json')))
    .map(path => ({ path, at: started(path) }))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .map(({ path }) => path)
}

/** The newest checkpoint of a run, and the one with the best metric. */
export async function checkpointsIn({ directory, manifest }: RunFacts) {
  const names = await listCheckpoints(directory)
  const newest = names.at(-1)
  if (newest === undefined) return undefined
  const { best } = await readState(join(directory, 'checkpoints', newest))
  const metric = at(at(manifest.resolved, 'checkpoint'), 'best')
  return {
    newest,
    count: names.length,
    best: best && { ...best, metric: typeof metric === 'string' ? metric : '' },
    models: modelsIn(join(directory, 'checkpoints', newest)),
  }
}

/** The parts of a checkpoint that are models: folders that Hugging Face's libraries read. */
const modelsIn = (checkpoint: string): string[] =>
  readdirSync(checkpoint, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && existsSync(join(checkpoint, entry.name, 'config.json')))
    .map(({ name }) => name)

/** Longest end of a file that is read for its newest lines. */
const tailBytes = 2 ** 18

function newestMetrics(path: string): Record<string, number> {
  const metrics: Record<string, number> = {}
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return metrics
  for (const line of tailOf(path).split('\n')) {
    const entry = safely((): unknown => JSON.parse(line))
    if (!isObject(entry)) continue
    for (const [name, value] of Object.entries(entry)) if (typeof value === 'number') metrics[name] = value
  }
  return metrics
}

function tailOf(path: string): string {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const bytes = Buffer.alloc(Math.min(size, tailBytes))
    readSync(file, bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString()
  } finally {
    closeSync(file)
  }
}

/** A running process writes its status each second. */
const staleMs = 5000

function statusOf(directory: string, { status }: Readonly<Record<string, unknown>>): string {
  if (typeof status === 'string') return status
  if (isLeft(directory, runLockName)) return 'ended without notice'
  const live = safely(() => readStatus(directory))
  return live && !live.ended && Date.now() - live.time < staleMs ? 'running' : 'ended without notice'
}

/** What a function returns, or undefined when it throws: a torn file of one run hides no other run. */
function safely<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

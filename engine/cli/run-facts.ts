// What the files of a run's folder say about it, without running or loading anything.
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { nearest } from '../graph/did-you-mean.ts'
import { at } from '../graph/file/graph-file.ts'
import type { Progress } from '../operator.ts'
import { listCheckpoints, readState } from '../run/checkpoint/folder.ts'
import { inPlaceOf } from '../shared/files.ts'
import { isLeft } from '../shared/folder-lock.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import { secondsOfRun } from '../shared/seconds-of-run.ts'
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
  /** The numbers of the newest lines of metrics, in order. */
  readonly lines: readonly Readonly<Record<string, number>>[]
  /** How far it has come, if it says so. */
  readonly progress?: Progress
}

/** What a command says of a path that is no run; of one within a run, which run it is. */
export function noRun(stated: string): UsageError {
  const above = [dirname(stated), dirname(dirname(stated)), dirname(dirname(dirname(stated)))]
  const around = above.find(folder => existsSync(join(folder, 'manifest.json')))
  const advice =
    around !== undefined
      ? `write ${around}`
      : existsSync(join(stated, 'benchmark.json'))
        ? `these are results of an evaluation: flow table ${stated}`
        : (sameNamed(stated) ?? '"flow ls" lists the runs')
  return new UsageError(
    `${stated}: must be a run directory, found ${inPlaceOf(stated, 'manifest.json')}`,
    advice,
  )
}

/** What to write for the name of a run without the folder that it lies in, or with a slip of the pen. */
function sameNamed(stated: string): string | undefined {
  const runs = runsIn('runs')
  const meant = nearest(
    stated,
    runs.flatMap(run => [run, basename(run)]),
  )
  const run = runs.findLast(run => run === meant || basename(run) === meant)
  return run && `write ${run}`
}

/** Reads a run's folder; a folder that is none is a mistake of the command. */
export function readFacts(directory: string): RunFacts {
  const path = join(directory, 'manifest.json')
  if (!existsSync(path)) throw noRun(directory)
  const manifest = readJsonObject(path)
  const lines = linesOf(tailOf(join(directory, 'metrics.jsonl')))
  const metrics: Record<string, number> = Object.assign({}, ...lines)
  const progress = safely(() => readStatus(directory).progress)
  const status = statusOf(directory, manifest)
  const steps = metrics.step ?? 0
  return { directory, manifest, status, steps, metrics, lines, ...(progress && { progress }) }
}

/** Levels of folders in which runs are looked for: `npm start` puts those of a start into a folder of their own. */
const deepest = 3

/** The runs in a folder and in folders within it, oldest first; the folder itself if it holds one. */
export function runsIn(folder: string, holdsRun = isRun): string[] {
  const manifestOf = (path: string) => safely(() => readJsonObject(join(path, 'manifest.json'))) ?? {}
  return foldersWith(holdsRun, folder, deepest)
    .map(path => ({ path, ...manifestOf(path) }) as { path: string; started?: unknown; part?: unknown })
    .filter(({ part }) => part === undefined) // a worker's folder is a part of a run
    .map(({ path, started }) => ({ path, at: String(started ?? '') }))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .map(({ path }) => path)
}

export const isRun = (folder: string): boolean => existsSync(join(folder, 'manifest.json'))

function foldersWith(holdsRun: (folder: string) => boolean, folder: string, levels: number): string[] {
  if (holdsRun(folder)) return [folder]
  const entries = levels === 0 ? [] : (safely(() => readdirSync(folder, { withFileTypes: true })) ?? [])
  return entries
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .flatMap(({ name }) => foldersWith(holdsRun, join(folder, name), levels - 1))
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

/** The numbers of each line of metrics; a torn line is passed over. */
function linesOf(text: string): Record<string, number>[] {
  return text.split('\n').flatMap(line => {
    const entry = safely((): unknown => JSON.parse(line))
    if (!isObject(entry)) return []
    const numbers = Object.entries(entry).filter(([, value]) => typeof value === 'number')
    return [Object.fromEntries(numbers) as Record<string, number>]
  })
}

/** All lines of a run's metrics. */
export function metricsOf(directory: string): Record<string, number>[] {
  const path = join(directory, 'metrics.jsonl')
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? linesOf(readFileSync(path, 'utf8')) : []
}

function tailOf(path: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return ''
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

/** Seconds that a run took so far: of one whose process was killed, until its last status. */
export const secondsOf = (directory: string, facts: Readonly<Record<string, unknown>>): number =>
  secondsOfRun(facts, safely(() => readStatus(directory).seconds) ?? 0)

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

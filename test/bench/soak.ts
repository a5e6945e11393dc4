import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { table } from '../../engine/shared/table.ts'
import { randomOf } from '../engine/run/random-graph.ts'
import { growth } from './memory.ts'
import { kills } from './soak-kills.ts'
import { type Look, Soak } from './soak-run.ts'
import { differences, evaluationOf, makeInputs, trainingOf, type Work } from './soak-work.ts'

export interface SoakOptions {
  readonly updates: number
  readonly questions: number
  /** Kills in all. */
  readonly kills: number
  /** Updates between two checkpoints. */
  readonly every: number
  readonly seed: number
  /** Where folders are made; they stay when a fault is found. */
  readonly folder?: string
}

/** Of all kills, so many strike the training. */
const shareOfTraining = 0.6

/**
 * A training and an evaluation, each run to its end undisturbed and once more with kills: what they computed must be equal,
 * and nothing that they hold may grow.
 */
export async function* soak(options: SoakOptions): AsyncGenerator<string, readonly string[]> {
  const { updates, questions, every, seed } = options
  const root = options.folder ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())
  const folder = mkdtempSync(join(root, 'flow-soak-'))
  yield `in ${folder}`
  const inputs = await makeInputs(folder, questions)
  const faults: string[] = []
  const ofTraining = Math.round(options.kills * shareOfTraining)
  const works = [
    { work: trainingOf(folder, inputs, updates, every), count: ofTraining },
    { work: evaluationOf(folder, inputs, questions), count: options.kills - ofTraining },
  ]
  for (const [i, { work, count }] of works.entries()) {
    if (work.total === 0) continue
    for await (const line of soakOne(work, count, join(folder, work.name), seed + i, faults)) yield line
  }
  yield `${faults.length} faults`
  yield* faults
  if (faults.length === 0) rmSync(folder, { recursive: true, force: true })
  return faults
}

async function* soakOne(
  work: Work,
  count: number,
  folder: string,
  seed: number,
  faults: string[],
): AsyncGenerator<string> {
  const place = (name: string): string => {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    return path
  }
  const whole = new Soak(work, place('undisturbed'), 0, randomOf(seed))
  await whole.toTheEnd()
  yield `${work.name}, undisturbed: ${work.total} done in ${whole.seconds.toFixed(1)} s`
  yield* heldLines(whole)
  const killed = new Soak(work, place('killed'), count, randomOf(seed))
  await killed.toTheEnd()
  yield `${work.name} with ${killed.struck.length} kills (seed ${seed}): ${killed.processes} processes, ${killed.seconds.toFixed(1)} s`
  yield* killTable(killed)
  yield* heldLines(killed)
  const found = [...differences(outcomeOf(whole), outcomeOf(killed))]
  if (outcomeOf(whole).get(work.proof)?.length === 0) found.push(`${work.proof}: nothing to compare`)
  const names = [...outcomeOf(whole)].map(([name, lines]) => `${name} (${lines.length})`).join(', ')
  yield `${found.length} differences from the undisturbed run in ${names}`
  for (const soaked of [whole, killed]) {
    const about = `${work.name}, ${soaked === whole ? 'undisturbed' : 'with kills'}`
    faults.push(...soaked.faults.map(text => `${about}: ${text}`))
    for (const { kind, at, fault } of soaked.struck)
      if (fault !== undefined) faults.push(`${about}: ${kind} at ${at}: ${fault}`)
    faults.push(...soaked.left.map(name => `${about}: left ${name} in the folder for temporary files`))
  }
  faults.push(
    ...found.map(text => `${work.name}: ${text}`),
    ...[...grown(whole, killed)].map(text => `${work.name}: ${text}`),
  )
}

const outcomeOf = ({ work, folder, run }: Soak) => work.outcome(folder, run)

function killTable({ struck, work }: Soak): string[] {
  const rows = work.kills.map(kind => {
    const of = struck.filter(one => one.kind === kind)
    const ended = of.filter(({ wentOn, fault }) => !wentOn && fault === undefined)
    const again = of.reduce((sum, one) => sum + one.again, 0)
    const went = kills[kind].goesOn === 'never' ? '-' : String(of.filter(one => one.wentOn).length)
    const wrong = of.filter(one => one.fault !== undefined).length
    return [kind, of.length, ended.length, went, again, wrong].map(String)
  })
  const head = ['killed', 'times', 'ended as it must', 'went on', 'done again', 'faults']
  return table([head, ...rows], '  ')
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0)
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

/** What the processes held at most; for a work that ran in one process, what grew from its second quarter to its last. */
function* heldLines({ looks, processes, work }: Soak): Generator<string> {
  const { residentBytes, handles, gpuBytes, keptBytes } = seriesOf(looks)
  yield `  at most ${megabytes(most(residentBytes))} of memory, ${megabytes(most(keptBytes))} kept by JavaScript, ${megabytes(most(gpuBytes))} alive on the GPU, ${most(handles)} handles, in ${looks.length} looks`
  if (processes > 1 || looks.length < fewestLooks) return
  const { memory, kept, gpu, files } = growthOf(looks, work.total)
  yield `  growth of the lowest tenth from the second quarter to the last: memory ${percent(memory)}, kept by JavaScript ${percent(kept)}, alive on the GPU ${percent(gpu)}, handles ${files}`
}

/** A quarter of fewer says nothing: a process grows while it warms up. */
const fewestLooks = 400

/** How many clips are open at a time, and how much garbage waits, depends on the pace of the machine: low values tell what stays. */
function growthOf(looks: readonly Look[], total: number) {
  // before and after it works a process holds less
  const series = seriesOf(looks.filter(({ done }) => done > 0 && done < total))
  const { residentBytes, handles, gpuBytes, keptBytes } = series
  const quarter = Math.floor(handles.length / 4)
  return {
    memory: growth(residentBytes, low),
    kept: growth(keptBytes, low),
    gpu: growth(gpuBytes, low),
    files: low(handles.slice(-quarter)) - low(handles.slice(quarter, 2 * quarter)),
  }
}

/** The value that a tenth of the values are below. */
const low = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)] ?? 0

/** Growth of memory that V8's machine code and heap may show. */
const mostGrowth = 0.05

/** What is not flat: within the undisturbed run, and in the processes with kills beside it. */
function* grown({ looks, work }: Soak, killed: Soak): Generator<string> {
  if (looks.length >= fewestLooks) {
    const { memory, kept, gpu, files } = growthOf(looks, work.total)
    if (memory > mostGrowth) yield `memory of the undisturbed run grew by ${percent(memory)}`
    if (kept > mostGrowth) yield `what JavaScript keeps in the undisturbed run grew by ${percent(kept)}`
    if (gpu > 0.01) yield `bytes on the GPU of the undisturbed run grew by ${percent(gpu)}`
    if (files > 0) yield `handles of the undisturbed run grew by ${files}`
  }
  const [whole, other] = [seriesOf(looks), seriesOf(killed.looks)]
  if (most(other.residentBytes) > most(whole.residentBytes) * (1 + 2 * mostGrowth))
    yield `memory reached ${megabytes(most(other.residentBytes))} with kills, ${megabytes(most(whole.residentBytes))} without`
  if (most(other.gpuBytes) > most(whole.gpuBytes) * (1 + mostGrowth))
    yield `bytes on the GPU reached ${megabytes(most(other.gpuBytes))} with kills, ${megabytes(most(whole.gpuBytes))} without`
  if (most(other.handles) > most(whole.handles) + sparedHandles)
    yield `handles reached ${most(other.handles)} with kills, ${most(whole.handles)} without`
}

/** How many clips are open at a time depends on the pace of the machine. */
const sparedHandles = 8

const seriesOf = (looks: readonly Look[]) => ({
  residentBytes: looks.map(look => look.residentBytes),
  handles: looks.map(look => look.handles),
  gpuBytes: looks.flatMap(look => look.gpuBytes ?? []),
  keptBytes: looks.flatMap(look => look.keptBytes ?? []),
})

import { existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readRun, rewindRun } from '../../engine/cli/past-run.ts'
import { registry } from '../../engine/cli/registry.ts'
import type { World } from '../../engine/cli/verb.ts'
import { checkpointNameOf, checkpointsOf, damageOf } from '../../engine/run/checkpoint/folder.ts'
import { messageOf } from '../../engine/shared/errors.ts'
import { randomOf } from '../engine/run/random-graph.ts'
import { startFlow } from './flow-process.ts'
import { afterCut, readTrace, type TracedDisk, tracedCalls } from './traced-disk.ts'

export interface PowerCutOptions {
  readonly cuts: number
  /** Of these, so many are gone on with by `flow run --resume`, to the end. */
  readonly resumes: number
  readonly seed: number
}

/** What became of the cuts. */
export interface PowerCuts {
  /** Went on from the checkpoint that was being saved, from the one before it, or from the beginning when none was saved. */
  readonly ends: Record<'newest' | 'older' | 'beginning', number>
  readonly faults: readonly string[]
  readonly resumed: number
  readonly steps: number
}

const updates = 3

/**
 * Traces the system calls of a training that saves a checkpoint after each update, and goes on from what a disk holds when
 * the power fails at a random moment between the first save and the end. Every second cut leaves all that was written; the
 * others leave what was synced for certain, and of the rest each part or not, by chance.
 */
export async function powerCuts({ cuts, resumes, seed }: PowerCutOptions): Promise<PowerCuts> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-power-'))
  try {
    const run = join(folder, 'run')
    const disk = await traced(folder, run)
    const whole = outcomeOf(run)
    const random = randomOf(seed)
    const begin = disk.steps.findIndex(step => step.kind === 'names' && step.text.includes('.partial-'))
    if (begin < 0) throw new Error('the trace has no save')
    const ends = { newest: 0, older: 0, beginning: 0 }
    const faults: string[] = []
    for (let i = 0; i < cuts; i++) {
      const end = begin + Math.floor(random() * (disk.steps.length + 1 - begin))
      const about = `cut ${i} before step ${end} of ${disk.steps.length}, ${i % 2 ? 'parts lost' : 'all written'}`
      const cut = () => {
        rmSync(run, { recursive: true, force: true })
        afterCut(disk, end, run, i % 2 ? randomOf(seed * 100_003 + i) : undefined)
      }
      const promised = promisedBefore(disk, end)
      try {
        cut()
        const taken = await takenFrom(run, whole)
        if (taken < promised) faults.push(`${about}: took ${taken}, ${promised} was saved`)
        else ends[taken > promised ? 'newest' : promised > 0 ? 'older' : 'beginning']++
        if (i >= resumes) continue
        cut()
        await startFlow(['run', '--resume', run], join(folder, 'log')).ended
        const found = outcomeOf(run)
        if (JSON.stringify(found) !== JSON.stringify(whole))
          faults.push(`${about}: ended otherwise when resumed`)
      } catch (error) {
        faults.push(`${about}: ${messageOf(error)}`)
      }
    }
    return { ends, faults, resumed: Math.min(resumes, cuts), steps: disk.steps.length - begin }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export async function* powerCut(options: PowerCutOptions): AsyncGenerator<string> {
  const { ends, faults, resumed, steps } = await powerCuts(options)
  yield `${options.cuts} power cuts (seed ${options.seed}) among ${steps} steps of ${updates} saves: ${ends.newest} took the checkpoint being saved, ${ends.older} the one before it, ${ends.beginning} began anew before the first, ${faults.length} faults`
  yield `${resumed} of them were resumed to the end and compared with the undisturbed run`
  yield* faults
}

/** A training under strace, and what it did to the disk. */
async function traced(folder: string, run: string): Promise<TracedDisk> {
  const trace = join(folder, 'trace')
  const set = [
    'checkpointEvery=1',
    'checkpoints=3',
    'accumulation=1',
    `steps=${updates}`,
    `nodes.samples.config.limit=${updates}`,
  ]
  const words = [
    'run',
    'graphs/coldstart.json',
    '--seed',
    '1',
    ...set.flatMap(one => ['--set', one]),
    '--out',
    run,
  ]
  const flags = ['-f', '--seccomp-bpf', '-y', '-xx', '-s', '16777216', '-e', `trace=${tracedCalls}`]
  await startFlow(words, join(folder, 'log'), ['strace', ...flags, '-o', trace]).ended
  return readTrace(linesOf(trace), run)
}

/** The lines of a file that is too long for one text. */
function* linesOf(path: string): Generator<string> {
  const handle = openSync(path, 'r')
  const part = Buffer.alloc(1 << 24)
  let rest = ''
  for (let count = readSync(handle, part); count > 0; count = readSync(handle, part)) {
    const lines = (rest + part.toString('latin1', 0, count)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

/** The number of the newest checkpoint whose name was synced. */
function promisedBefore({ steps }: TracedDisk, end: number): number {
  let [renamed, promised] = [0, 0]
  for (const step of steps.slice(0, end)) {
    if (step.kind === 'names' && /\.partial-\d+ /.test(step.text))
      renamed = Number(/checkpoints\/(\d+)$/.exec(step.text)?.[1] ?? renamed)
    if (step.kind === 'sync' && step.text.endsWith('/checkpoints')) promised = renamed
  }
  return promised
}

/** The checkpoint from which `flow run --resume` goes on; 0: from the beginning. */
async function takenFrom(run: string, whole: Outcome): Promise<number> {
  const said: string[] = []
  const silent: World = {
    registry,
    environment: process.env,
    screen: { write: () => {} },
    print: () => {},
    complain: line => void said.push(line),
    prepare: async () => {},
  }
  const changes = { set: [], accept: false }
  const past = readRun(run, silent, changes)
  const { from } = await rewindRun(past, changes, line => void said.push(line))
  const name = from?.slice(-6)
  if (from === undefined || name === undefined) return 0
  const damage = await damageOf(from)
  if (damage !== undefined) throw new Error(damage)
  const rows = rowsOf(run)
  if (JSON.stringify(rows) !== JSON.stringify(whole.rows.slice(0, rows.length)))
    throw new Error('the metrics of the checkpoint are not those of the undisturbed run')
  return Number(name)
}

interface Outcome {
  readonly rows: readonly unknown[]
  readonly contents: unknown
}

/** The numbers that a run recorded, times left out, and the digests of the weights and the optimizer at its end. */
function outcomeOf(run: string): Outcome {
  const state = join(checkpointsOf(run), checkpointNameOf(updates), 'state.json')
  return { rows: rowsOf(run), contents: JSON.parse(readFileSync(state, 'utf8')).contents }
}

const rowsOf = (run: string): unknown[] =>
  readFileSync(join(run, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => ({ ...JSON.parse(line), seconds: 0, update_seconds: 0 }))

// `flow run --learners`: starts the other learners of a run as children of its process.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Plan } from '../graph/plan.ts'
import { Learners } from '../learners/learners.ts'
import { Member } from '../learners/member.ts'
import type { Beginning } from '../learners/messages.ts'
import { openMemory, SharedNumbers } from '../learners/shared-numbers.ts'
import { teamNodes } from '../learners/team-node.ts'
import type { Together } from '../run/node/context.ts'
import { makeFolder } from '../shared/files.ts'
import { type Arguments, type Flag, UsageError } from './arguments.ts'
import type { Seat } from './gpus.ts'
import { formsOf } from './over-run.ts'
import { storedPlugins } from './plug.ts'
import { secondsIn } from './seconds-in.ts'
import type { World } from './verb.ts'

export const learnersFlag: Flag = {
  value: 'N',
  description: 'Divide each update among N processes of this machine; gradients are added up.',
}

/** The descriptors of a learner's files: of the sums, and of the values that it is given. */
export const learnerFiles = { sums: 4, memory: 5 }

interface Started {
  readonly plan: Plan
  readonly seed: number
  readonly directory: string
  readonly from?: string
  readonly facts?: Readonly<Record<string, unknown>>
}

export interface LearnerGroup {
  readonly together?: Together
  /** The run has begun: a learner that is lost ends it. */
  watch(run: { abort(error: unknown): void }): void
  close(): Promise<void>
}

/** How many learners a command asks for. */
export function readLearners(words: Arguments): number | undefined {
  const text = words.last('learners')
  if (text === undefined || /^[1-9]\d?$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new UsageError(`--learners: must be a whole number from 1 to 99, found "${text}"`)
}

/** How many learners a run has, and the GPUs that they take in turn; without them each takes the usual one. */
interface Size {
  readonly size: number
  readonly gpus?: readonly Seat[]
}

/** Starts the learners of a run besides its own process, which is the first. */
export function startLearners(started: Started, { size, gpus = [] }: Size, world: World): LearnerGroup {
  if (size === 1) return { watch: () => {}, close: async () => {} }
  const sums = openMemory()
  let fail: (error: unknown) => void = () => {}
  let first: unknown
  const learners = new Learners({
    size,
    numbers: new SharedNumbers(sums, size),
    nodes: teamNodes(started.plan, formsOf(world.registry)),
    start: (rank, on) => startOne(started, { rank, size, sums, seat: gpus[rank % gpus.length] }, on, world),
    fail: error => {
      first ??= error
      fail(error)
    },
  })
  return {
    together: learners.together,
    watch: run => {
      fail = error => run.abort(error)
      if (first !== undefined) fail(first)
    },
    close: () => learners.close(),
  }
}

const main = fileURLToPath(import.meta.url).replace(/learners\.(js|ts)$/, 'learner-main.$1')

function startOne(
  { plan, seed, directory, from, facts = {} }: Started,
  { rank, size, sums, seat }: { rank: number; size: number; sums: number; seat: Seat | undefined },
  on: Pick<ConstructorParameters<typeof Member>[0], 'onMessage' | 'onLost'>,
  { environment }: World,
): Member {
  const folder = join(resolve(directory), 'learners', String(rank + 1))
  makeFolder(folder)
  const log = join(folder, 'output.txt')
  const output = openSync(log, 'a')
  const memory = openMemory()
  const child: ChildProcess = spawn(process.execPath, [...process.execArgv, main], {
    stdio: ['ignore', output, output, 'ipc', sums, memory],
    serialization: 'advanced',
    env: { ...process.env, ...seat?.variables },
  })
  closeSync(output)
  const beginning: Beginning = {
    rank,
    size,
    graph: plan.file,
    sources: Object.fromEntries(plan.sources),
    set: Array.isArray(facts.set) ? facts.set.map(String) : [],
    plugins: storedPlugins(facts),
    seed,
    folder,
    directory: resolve(directory),
    ...(from !== undefined && { from: resolve(from) }),
  }
  const name = `learner ${rank + 1} of ${size}${seat ? ` on ${seat.gpu}` : ''}`
  const silentSeconds = secondsIn('FLOW_LEARNER_SECONDS', environment)
  const member = new Member({ name, child, memory, log, silentSeconds, ...on })
  member.tell({ type: 'begin', ...beginning })
  return member
}

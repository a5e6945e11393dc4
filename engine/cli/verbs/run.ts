import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { loadGraph } from '../../graph/check.ts'
import { placeInCode, shownPlace } from '../../graph/code-place.ts'
import type { Plan } from '../../graph/plan.ts'
import { hide } from '../../graph/secrets.ts'
import type { Progress } from '../../operator.ts'
import { processes } from '../../platform/processes.ts'
import { startRun } from '../../run/run.ts'
import type { Run, RunEvent, RunOptions, RunSummary } from '../../run/summary.ts'
import { remedyIn } from '../../shared/errors.ts'
import { isObject } from '../../shared/json.ts'
import { type Arguments, onlyWord, UsageError } from '../arguments.ts'
import { keepBasis } from '../basis.ts'
import { countsOf } from '../counts.ts'
import { shareGpus } from '../gpus.ts'
import { paramNames } from '../graph-params.ts'
import { lookFirst, refuseVariables } from '../inspection/look-first.ts'
import { learnersFlag, readLearners, startLearners } from '../learners.ts'
import { readStatus } from '../live-run.ts'
import { refuseOverMemory } from '../memory-limit.ts'
import { longerRun, nextSteps } from '../next-steps.ts'
import { namedGpus, overFlags, overRun, ownNodes, serverIn, workersOf } from '../over-run.ts'
import { factsOf, learnersOf, readRun, rewindRun } from '../past-run.ts'
import { pluginFlag, statedPlugins, storedPlugins } from '../plug.ts'
import { logLevels, type ProgressLine, progressLine } from '../progress.ts'
import { lockRun, type RunLock, refuseRunIn } from '../run-lock.ts'
import { updateCount } from '../shortfall.ts'
import { strayFault } from '../stray-fault.ts'
import { gpuFlag, setFlag, type Verb, viewFlags, type World } from '../verb.ts'
import { startView } from '../view-process.ts'

export const run: Verb = {
  summary: 'Runs a graph and writes a run directory.',
  usage: 'GRAPH | --resume DIR',
  loads: 'graphs',
  flags: {
    set: setFlag,
    plugin: pluginFlag,
    seed: { value: 'N', description: 'Whole number from which everything random is drawn (default 0).' },
    shard: { value: 'I/N', description: "Part i of n of the data: sets the graph's param `shard`." },
    'log-level': {
      value: 'LEVEL',
      choices: logLevels,
      description: 'Lowest level to show: debug, info (default), warn or error; log.jsonl has all.',
    },
    memory: {
      value: 'BYTES',
      description: 'Refuse to start if the graph plans to use more GPU memory than this, e.g. 8GB.',
    },
    out: { value: 'DIR', description: 'Run directory (default runs/<graph>-<time>).' },
    resume: {
      value: 'DIR',
      description: 'Continue a stopped run; --set may change onError, limits, and where data lies.',
    },
    steps: {
      value: 'N',
      description: 'With --resume: go on until N updates are done, also after a completed run.',
    },
    ...gpuFlag,
    ...overFlags,
    learners: learnersFlag,
    view: { description: 'Show the run in a page while it runs; its address is printed.' },
    ...viewFlags,
    'accept-changes': {
      description: 'With --resume: go on although data, models, plugins or the GPU have changed.',
    },
  },
  example: 'npx flow run flow:grpo.json --set steps=2 --seed 1',
  run: async (words, world) => {
    const start = await (words.last('resume') === undefined ? newRun(words, world) : oldRun(words, world))
    if (!start) return 0
    try {
      return await follow(start, words, world)
    } finally {
      start.lock.release()
    }
  },
}

/** Runs a plan, shows its progress and its end; returns the exit code. */
async function follow(
  { plan, lock, before, ...options }: Start,
  words: Arguments,
  world: World,
): Promise<number> {
  const level = logLevels.find(name => name === words.last('log-level')) ?? 'info'
  const line = progressLine(world.screen, { level, isMidLine: () => processes.isMidLine })
  const updates = updateCount(before)
  const onEvent = (event: RunEvent) => {
    updates.event(event)
    line.event(event)
  }
  const size = learnersOf(options.facts ?? {})
  const named = namedGpus(words)
  const turns = named && (await shareGpus(named, { learners: size, hasWorkers: plan.parts.length > 0 }))
  const gpus = turns?.seats
  const over = await overRun({ plan, ...options }, gpus, words, world)
  const learners = startLearners({ plan, ...options }, { size, ...(gpus && { gpus }) }, world)
  const { together } = learners
  const linked = { ...(over.link && { link: over.link }), ...(together && { together }) }
  const started = startRun(over.plan, { ...options, onEvent, ...linked })
  learners.watch(started)
  lock.watch(started)
  const forget = listen(started, line, world, plan)
  const closeView = startView(options.directory, words)
  const summary = await started.done
  await learners.close()
  await over.close(summary.status === 'completed' || summary.status === 'failed')
  turns?.close()
  closeView()
  forget()
  line.end()
  if (summary.error) {
    world.complain(hide(summary.error.message, plan.secrets))
    const place = placeInCode(summary.error)
    if (place) world.complain(shownPlace(place))
    const remedy = remedyIn(summary.error)
    if (remedy !== undefined) world.complain(`    fix:  ${hide(remedy, plan.secrets)}`)
  } else if (lock.isLost()) {
    world.complain(
      `${summary.directory}: was removed or replaced while the run worked in it: its results are lost`,
    )
    return 1
  }
  const hasStatus = existsSync(join(summary.directory, 'status.json'))
  const status = summary.error || !hasStatus ? undefined : readStatus(summary.directory)
  const counts = status ? countsOf(status, plan) : ''
  for (const text of [line.curve, counts]) if (text) world.print(text)
  world.print(sentence(summary, line.done))
  const missing = updates.missing(summary, plan, status)
  if (missing !== undefined) {
    world.complain(missing)
    return 1
  }
  return summary.status === 'completed' ? 0 : summary.status === 'failed' ? 1 : 130
}

interface Start extends RunOptions {
  plan: Plan
  lock: RunLock
  /** How far a run that goes on to more updates had come. */
  before?: Progress
}

async function newRun(words: Arguments, { registry, environment, prepare }: World): Promise<Start> {
  const file = onlyWord(words, 'graph file')
  const steps = words.last('steps')
  if (steps !== undefined)
    throw new UsageError(
      `--steps ${steps}: must come with --resume`,
      paramNames(file).includes('steps') ? `a new run takes --set steps=${steps}` : 'leave it out here',
    )
  const seed = readSeed(words.last('seed') ?? '0')
  const shard = words.last('shard')
  const set = [...words.all('set'), ...(shard === undefined ? [] : [`shard=${shard}`])]
  const learners = readLearners(words) ?? 1
  const load = (set: readonly string[]) =>
    loadGraph(file, registry, { set, environment, parts: words.all('part'), learners })
  const plan = load(set)
  const directory = words.last('out') ?? freshDirectory(file, new Date())
  refuseOverMemory(plan, words.last('memory'), { learners, ...workersOf(words) })
  refuseRunIn(directory)
  const rows = await lookFirst(plan, environment, ownNodes(plan, words), serverIn(words))
  const prepared = await prepare(plan)
  const lock = lockRun(directory, true)
  const plugins = statedPlugins(words)
  keepBasis(directory, plan, plugins)
  const facts = {
    ...factsOf(plan, set, plugins, directory),
    nextSteps: nextSteps(plan, rows, steps => load([...set, `steps=${steps}`])),
    ...(learners > 1 && { learners }),
    ...(isObject(prepared) && prepared),
  }
  return { plan, lock, seed, directory, facts }
}

/** The rest of a stopped run; undefined when the run was completed. */
async function oldRun(words: Arguments, world: World): Promise<Start | undefined> {
  const stated = words.last('resume') ?? ''
  const given = ['seed', 'out', 'shard'].find(flag => words.last(flag) !== undefined)
  if (given !== undefined || words.positional.length > 0)
    throw new UsageError(
      `--resume ${stated}: must be given without GRAPH, --seed, --shard and --out: the run continues with its own`,
    )
  const steps = readSteps(words.last('steps'))
  const accept = words.last('accept-changes') !== undefined
  const plugins = statedPlugins(words)
  const changes = { set: words.all('set'), steps, accept, learners: readLearners(words), plugins }
  const past = readRun(stated, world, changes)
  if (past.status === 'completed' && !past.isLonger) {
    world.print(`${stated}: already completed, nothing to do`)
    return undefined
  }
  const { directory, plan, seed } = past
  await refuseVariables(plan, world.environment, ownNodes(plan, words), serverIn(words))
  const longer = past.isLonger ? await longerRun(past, changes, world) : {}
  refuseOverMemory(plan, words.last('memory'), { learners: learnersOf(past.facts), ...workersOf(words) })
  const lock = lockRun(directory, false)
  try {
    const rest = await rewindRun(past, changes, world.complain)
    if (changes.accept || past.moves.length > 0) keepBasis(directory, plan, storedPlugins(past.facts))
    const prepared = await world.prepare(plan, rest.facts)
    return {
      plan,
      lock,
      seed,
      directory,
      ...rest,
      ...(longer.before && { before: longer.before }),
      facts: {
        ...rest.facts,
        nextSteps: past.isLonger ? longer.nextSteps : past.facts.nextSteps,
        ...(isObject(prepared) && prepared),
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Seconds after which the pace of a run says something. */
const worthRates = 1

/** How a run ended; only what it had. */
function sentence(summary: RunSummary, done: string): string {
  const { status, directory, skipped, dropped, leaked, seconds } = summary
  const counts = [
    done,
    skipped > 0 && `${skipped} skipped`,
    dropped > 0 && `${dropped} dropped`,
    leaked > 0 && `${leaked} values not freed`,
    (status !== 'failed' || seconds >= worthRates) && `${seconds.toFixed(1)} s`,
  ].filter(Boolean)
  return [`${directory}: ${status}`, ...counts].join(', ')
}

/** The first signal stops the sources, the second aborts the run, the third ends the process. */
function listen(started: Run, line: ProgressLine, { complain, registry }: World, plan: Plan): () => void {
  let signals = 0
  const interrupted = () => {
    signals++
    if (signals === 1) {
      line.end()
      started.stop()
      complain(`stopping: no new item begins, at most ${started.open} to go; press again to abort`)
      line.stopping(started.open)
    } else if (signals === 2) {
      complain('aborting')
      started.abort()
    } else {
      process.exit(130)
    }
  }
  // a fault outside any stream still has to free what the run holds
  const fault = (error: unknown) => started.abort(strayFault(error, plan, registry))
  const signalNames = ['SIGINT', 'SIGTERM'] as const
  for (const name of signalNames) process.on(name, interrupted)
  process.on('uncaughtException', fault)
  return () => {
    for (const name of signalNames) process.off(name, interrupted)
    process.off('uncaughtException', fault)
  }
}

function readSteps(text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d{0,15}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new UsageError(`--steps: must be a whole number above 0, found "${text}"`)
}

function readSeed(text: string): number {
  const seed = Number(text)
  if (/^\d+$/.test(text) && seed <= 0xffffffff) return seed
  throw new UsageError(`--seed: must be a whole number from 0 to 4294967295, found "${text}"`)
}

/** `runs/<graph>-<time>`, with a number after it when that folder exists. */
function freshDirectory(file: string, time: Date): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const day = `${time.getFullYear()}${two(time.getMonth() + 1)}${two(time.getDate())}`
  const clock = `${two(time.getHours())}${two(time.getMinutes())}${two(time.getSeconds())}`
  const base = join('runs', `${basename(file, '.json')}-${day}-${clock}`)
  for (let number = 1; ; number++) {
    const directory = number === 1 ? base : `${base}-${number}`
    if (!existsSync(directory)) return directory
  }
}

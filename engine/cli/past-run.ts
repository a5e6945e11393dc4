import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { loadGraph } from '../graph/check.ts'
import { differences } from '../graph/differences.ts'
import type { Plan } from '../graph/plan.ts'
import { show } from '../graph/problem.ts'
import { hideIn } from '../graph/secrets.ts'
import {
  checkpointsOf,
  damageOf,
  listCheckpoints,
  readState,
  removeLeftovers,
  setAside,
} from '../run/checkpoint/folder.ts'
import { RunError } from '../run/error.ts'
import { filesLost, rewindFiles } from '../run/record/files.ts'
import { isObject, readJsonObject } from '../shared/json.ts'
import { UsageError } from './arguments.ts'
import { changesOf } from './basis.ts'
import { readOrRecall } from './graph-texts.ts'
import { modulePlace, movedPlugins, type StoredPlugin, withoutReplaced } from './moved-plugins.ts'
import { homeMove, type Move, movedHome, moveOf, placeIn, placeNow } from './moves.ts'
import { refuseWithoutCheckpoint } from './no-checkpoint.ts'
import { graphPlugins, storedPlugins } from './plug.ts'
import { noRun, secondsOf } from './run-facts.ts'
import type { World } from './verb.ts'

/** A run as its directory describes it. */
export interface PastRun {
  /** Its folder, as seen from the working directory of the run, which is the present one now. */
  readonly directory: string
  readonly plan: Plan
  /** As it was asked for before, with fewer updates perhaps. */
  readonly begun: Plan
  readonly seed: number
  readonly status: string | undefined
  readonly facts: Readonly<Record<string, unknown>>
  /** What is not as it was in its graph. */
  readonly changes: readonly string[]
  /** More updates are asked for than before. */
  readonly isLonger: boolean
  /** What lies elsewhere than when it began. */
  readonly moves: readonly Move[]
}

/** Facts for the manifest that `readRun` needs. */
export const factsOf = (
  plan: Plan,
  set: readonly string[],
  plugins: readonly StoredPlugin[],
  directory: string,
) => {
  const workingDirectory = process.cwd()
  const sources = Object.fromEntries(plan.sources)
  const place = placeIn(workingDirectory, directory)
  return {
    set,
    plugins,
    structure: structureOf(plan),
    sources,
    workingDirectory,
    place,
    models: modelsIn(plan),
  }
}

/** What each model of a graph is. */
const modelsIn = ({ resources }: Plan): Record<string, unknown> =>
  Object.fromEntries(
    resources
      .filter(({ resource, config }) => resource.kind === 'model' && typeof config.path === 'string')
      .map(({ name, config }) => [name, config.path]),
  )

/** How many learners the facts of a run state. */
export const learnersOf = ({ learners }: Readonly<Record<string, unknown>>): number =>
  typeof learners === 'number' ? learners : 1

/** What a resume asks for that the run did not have. */
export interface Changes {
  /** Further settings; only those that leave the meaning of a checkpoint as it is, and new places of what it reads. */
  readonly set: readonly string[]
  /** Updates in all, more than before. */
  readonly steps?: number | undefined
  /** Plugins of the command line: those that the run had at another place are looked for there. */
  readonly plugins?: readonly StoredPlugin[]
  /** Go on although the graph or what it reads is not as it was. */
  readonly accept: boolean
  /** Processes that share each update; by default as many as before. */
  readonly learners?: number | undefined
}

/**
 * Reads the manifest of a run, goes to its working directory, and loads its graph, which must be what it was. The manifest
 * has the text of each graph file: it is used in place of one that can no longer be read.
 */
export function readRun(
  stated: string,
  { registry, environment }: World,
  { set: more, steps, accept, learners, plugins = [] }: Changes = { set: [], accept: false },
): PastRun {
  const path = join(stated, 'manifest.json')
  if (!existsSync(path)) throw noRun(stated)
  const facts = readJsonObject(path)
  const { graph, seed, set, status } = facts
  if (typeof graph !== 'string' || !Number.isInteger(seed) || typeof seed !== 'number' || !Array.isArray(set))
    throw new UsageError(`${path}: must have "graph", "seed" and "set"; an older version of flow wrote it`)
  const stored = storedPlugins(facts)
  const moved = movedPlugins(withoutReplaced([...stored, ...graphPlugins(facts)], stored), plugins)
  const directory = enter(stated, facts)
  const load = (set: readonly string[]) =>
    loadGraph(graph, registry, { set, environment, read: readOrRecall(facts), ...(learners && { learners }) })
  const plan = load(set.map(String))
  const moves = homeMove(facts)
  for (const plugin of moved) moves.unshift({ from: plugin.instead, to: modulePlace(plugin) })
  for (const text of more) {
    const move = moveOf(text, plan, { home: homeOf(facts), directory })
    if (move) moves.unshift(move)
    else refuseUnlessHarmless(text)
  }
  const shown = hideIn(JSON.parse(JSON.stringify(plan.shown)), plan.secrets)
  const changes = differences(facts.resolved, shown).map(
    ({ path, before, after }) => `${path} was ${show(before, 'nothing')}, is ${show(after, 'nothing')}`,
  )
  const before = learnersOf(facts)
  const now = learners ?? before
  // sums of gradients in another order: the weights differ in their last bits
  if (now !== before) changes.push(`--learners was ${before}, is ${now}`)
  if ((changes.length > 0 && !accept) || facts.structure !== structureOf(plan)) {
    const found = changes.join('; ') || 'other nodes or edges, or another sub-graph'
    throw new UsageError(`${graph}: must be as it was when ${stated} started; found ${found}`)
  }
  const extended = steps === undefined ? [] : [stepsSetting(steps, plan, stated)]
  const sets = [...set.map(String), ...more, ...extended]
  const next = sets.length > set.length ? load(sets) : plan
  return {
    directory,
    plan: next,
    begun: plan,
    seed,
    changes,
    isLonger: steps !== undefined && steps !== plan.params.steps,
    moves,
    facts: {
      ...facts,
      set: sets,
      plugins: [...withoutReplaced(stored, moved), ...moved],
      structure: structureOf(next),
      workingDirectory: process.cwd(),
      learners: now,
    },
    status: typeof status === 'string' ? status : undefined,
  }
}

/** Goes to the working directory of a run, from which its paths start, wherever it is now; returns the run's folder. */
function enter(directory: string, facts: Readonly<Record<string, unknown>>): string {
  const { workingDirectory } = facts
  if (typeof workingDirectory !== 'string' || workingDirectory === process.cwd()) return directory
  const path = resolve(directory)
  process.chdir(existsSync(workingDirectory) ? workingDirectory : movedHome(directory, facts))
  return path
}

/** The working directory in which a run began. */
const homeOf = ({ workingDirectory }: Readonly<Record<string, unknown>>): string =>
  typeof workingDirectory === 'string' ? workingDirectory : process.cwd()

/** The setting that makes a run longer. */
function stepsSetting(steps: number, { params }: Plan, stated: string): string {
  const before = params.steps
  if (typeof before !== 'number')
    throw new UsageError(
      `--steps ${steps}: must be for a graph with a param "steps", found ${Object.keys(params).join(', ') || 'none'}; set the number of items of ${stated} when it starts`,
    )
  if (steps < before)
    throw new UsageError(
      `--steps ${steps}: must be at least the ${before} that ${stated} has, all updates counted`,
    )
  return `steps=${steps}`
}

/** What an item's failure means, how many are worked on, and how long: none of it is in a checkpoint. */
const harmless =
  /^nodes\.[^.]+\.(onError(\.\w+)?|parallel|config\.(concurrency|parallel|logLevel|timeoutSeconds|timeoutMs|deadlineSeconds))$/

function refuseUnlessHarmless(text: string): void {
  const [, key = text, value = ''] = /^\s*([^=]*?)\s*=\s*(.*)$/s.exec(text) ?? []
  if (harmless.test(key)) return
  const rule = 'must leave the meaning of the checkpoint as it is: with --resume only'
  const free =
    'new places of data and models, nodes.NAME.onError, parallel, config.concurrency and limits on time'
  const advice = key === 'steps' ? `write --steps ${value}` : undefined
  throw new UsageError(`--set ${text}: ${rule} ${free} may change`, advice)
}

/** Changes that a message names. */
const mostNamed = 5

/**
 * Truncates the files of a run to its newest whole checkpoint, and returns the options to continue from there. A damaged
 * checkpoint is set aside, and `complain` hears which one, why, and what is done again.
 */
export async function rewindRun(
  { directory, plan, facts, changes, moves }: PastRun,
  { set: more, steps, accept }: Changes,
  complain: (line: string) => void,
) {
  refuseWithoutCheckpoint(directory, plan)
  const accepted = [...changes, ...changesOf(directory, path => placeNow(path, moves))]
  if (accepted.length > 0 && !accept) {
    const found = [
      ...accepted.slice(0, mostNamed),
      ...accepted.slice(mostNamed, mostNamed + 1).map(() => '…'),
    ]
    const rule = 'must find its data, models and plugins as they were when it started'
    throw new UsageError(
      `${directory}: ${rule}; found ${found.join('; ')}: --accept-changes goes on with them`,
    )
  }
  for (const change of accepted.slice(0, mostNamed)) complain(`accepted: ${change}`)
  await removeLeftovers(directory)
  const { name, damaged } = await newestWhole(directory)
  const root = checkpointsOf(directory)
  for (const one of damaged) {
    const place = await setAside(root, one.name)
    complain(`${one.damage}: checkpoint ${one.name} is damaged; it is kept as ${place}`)
  }
  const [newest] = damaged
  if (newest && name !== undefined)
    complain(
      `going on from checkpoint ${name}: items ${Number(name) + 1} to ${Number(newest.name)} are done again`,
    )
  const from = name === undefined ? undefined : join(root, name)
  rewindFiles(directory, from === undefined ? {} : (await readState(from)).files)
  const before = Array.isArray(facts.resumed) ? facts.resumed : []
  const now = { checkpoint: name ?? null, at: new Date().toISOString() }
  const resumed = [
    ...before,
    {
      ...now,
      ...(more.length > 0 && { set: more }),
      ...(steps !== undefined && { steps }),
      ...(accept && { accepted }),
    },
  ]
  const { set, plugins, structure, sources, started, workingDirectory, place, hub, learners } = facts
  const secondsBefore = secondsOf(directory, facts)
  return {
    ...(from !== undefined && { from }),
    secondsBefore,
    ...(!accept && isObject(facts.adapter) && { expected: { adapter: facts.adapter } }),
    facts: {
      ...{ set, plugins, structure, sources, started, workingDirectory, place, hub, learners, resumed },
      ...{ models: modelsIn(plan), secondsBefore },
    },
  }
}

/** The newest checkpoint that is whole and whose files are still there, and the damaged ones that are newer. */
async function newestWhole(directory: string) {
  const damaged: { name: string; damage: string }[] = []
  const names = await listCheckpoints(directory)
  for (const name of names.reverse()) {
    const folder = join(checkpointsOf(directory), name)
    const damage = (await damageOf(folder)) ?? filesLost(directory, (await readState(folder)).files)
    if (damage === undefined) return { name, damaged }
    damaged.push({ name, damage })
  }
  if (damaged.length === 0) return { damaged }
  const found = damaged.map(({ name, damage }) => `${name} (${damage})`).join(', ')
  throw new RunError(
    'checkpoint-mismatch',
    `${directory}: must have a whole checkpoint, found only ${found}`,
    {
      remedy: 'start anew with another --out, or put back the files',
    },
  )
}

/** Hash of nodes, edges and the config in sub-graphs, which the graph in the manifest does not show. */
function structureOf({ nodes, resources }: Plan): string {
  const parts = [
    ...nodes.map(({ name, scope, operatorName, config, wires, onError }) => [
      name,
      operatorName,
      wires.map(({ port, from, initial, maxLag, keep }) => [port, from, initial, maxLag, keep]),
      onError,
      scope === '' ? {} : config,
    ]),
    ...resources.map(({ name, scope, resourceName, config }) => [
      name,
      resourceName,
      scope === '' ? {} : config,
    ]),
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}

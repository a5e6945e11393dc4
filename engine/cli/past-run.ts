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
import type { StoredPlugin } from './plug.ts'
import type { World } from './verb.ts'

/** A run as its directory describes it. */
export interface PastRun {
  /** Its folder, as seen from the working directory of the run, which is the present one now. */
  readonly directory: string
  readonly plan: Plan
  readonly seed: number
  readonly status: string | undefined
  readonly facts: Readonly<Record<string, unknown>>
  /** What is not as it was in its graph. */
  readonly changes: readonly string[]
}

/** Facts for the manifest that `readRun` needs. */
export const factsOf = (plan: Plan, set: readonly string[], plugins: readonly StoredPlugin[]) => {
  const workingDirectory = process.cwd()
  const sources = Object.fromEntries(plan.sources)
  return { set, plugins, structure: structureOf(plan), sources, workingDirectory }
}

/** What a resume asks for that the run did not have. */
export interface Changes {
  /** Further settings; only those that leave the meaning of a checkpoint as it is. */
  readonly set: readonly string[]
  /** Go on although the graph or what it reads is not as it was. */
  readonly accept: boolean
}

/**
 * Reads the manifest of a run, goes to its working directory, and loads its graph, which must be what it was. The manifest
 * has the text of each graph file: it is used in place of one that can no longer be read.
 */
export function readRun(
  stated: string,
  { registry, environment }: World,
  { set: more, accept }: Changes = { set: [], accept: false },
): PastRun {
  const path = join(stated, 'manifest.json')
  if (!existsSync(path))
    throw new UsageError(`${stated}: must be a run directory, found no manifest.json in it`)
  const facts = readJsonObject(path)
  const { graph, seed, set, status } = facts
  if (typeof graph !== 'string' || !Number.isInteger(seed) || typeof seed !== 'number' || !Array.isArray(set))
    throw new UsageError(`${path}: must have "graph", "seed" and "set"; an older version of flow wrote it`)
  for (const text of more) refuseUnlessHarmless(text)
  const directory = enter(stated, facts)
  const load = (set: readonly string[]) =>
    loadGraph(graph, registry, { set, environment, read: readOrRecall(facts) })
  const plan = load(set.map(String))
  const shown = hideIn(JSON.parse(JSON.stringify(plan.shown)), plan.secrets)
  const changes = differences(facts.resolved, shown).map(
    ({ path, before, after }) => `${path} was ${show(before)}, is ${show(after)}`,
  )
  if ((changes.length > 0 && !accept) || facts.structure !== structureOf(plan)) {
    const found = changes.join('; ') || 'other nodes or edges, or another sub-graph'
    throw new UsageError(`${graph}: must be as it was when ${stated} started; found ${found}`)
  }
  const sets = [...set.map(String), ...more]
  const next = more.length > 0 ? load(sets) : plan
  return {
    directory,
    plan: next,
    seed,
    changes,
    facts: { ...facts, set: sets, structure: structureOf(next) },
    status: typeof status === 'string' ? status : undefined,
  }
}

/** Goes to the working directory of a run, from which its paths start, if it is still there; returns the run's folder. */
function enter(directory: string, { workingDirectory }: Readonly<Record<string, unknown>>): string {
  if (typeof workingDirectory !== 'string' || workingDirectory === process.cwd()) return directory
  if (!existsSync(workingDirectory)) return directory
  const path = resolve(directory)
  process.chdir(workingDirectory)
  return path
}

/** What an item's failure means, how many are worked on, and how long: none of it is in a checkpoint. */
const harmless =
  /^nodes\.[^.]+\.(onError(\.\w+)?|parallel|config\.(concurrency|parallel|logLevel|timeoutSeconds|timeoutMs|deadlineSeconds))$/

function refuseUnlessHarmless(text: string): void {
  const key = text.split('=')[0]?.trim() ?? ''
  if (harmless.test(key)) return
  const rule =
    'must leave the meaning of the checkpoint as it is: with --resume only nodes.NAME.onError, parallel, '
  throw new UsageError(`--set ${text}: ${rule}config.concurrency and limits on time may change`)
}

/** Changes that a message names. */
const mostNamed = 5

/**
 * Truncates the files of a run to its newest whole checkpoint, and returns the options to continue from there. A damaged
 * checkpoint is set aside, and `complain` hears which one, why, and what is done again.
 */
export async function rewindRun(
  { directory, plan, facts, changes }: PastRun,
  { set: more, accept }: Changes,
  complain: (line: string) => void,
) {
  if (!plan.checkpoint) {
    const remedy = 'the graph has no "checkpoint"; add one, or start with --set checkpoint.every=N'
    throw new UsageError(`${directory}: must have been started with checkpoints to go on: ${remedy}`)
  }
  const accepted = [...changes, ...changesOf(directory, facts)]
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
  const resumed = [...before, { ...now, ...(more.length > 0 && { set: more }), ...(accept && { accepted }) }]
  const { set, plugins, structure, sources, started, workingDirectory } = facts
  return {
    ...(from !== undefined && { from }),
    ...(!accept && isObject(facts.adapter) && { expected: { adapter: facts.adapter } }),
    facts: { set, plugins, structure, sources, started, workingDirectory, resumed },
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

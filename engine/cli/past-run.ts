import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
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
import { readJsonObject } from '../shared/json.ts'
import { UsageError } from './arguments.ts'
import { readOrRecall } from './graph-texts.ts'
import type { StoredPlugin } from './plug.ts'
import type { World } from './verb.ts'

/** A run as its directory describes it. */
export interface PastRun {
  readonly plan: Plan
  readonly seed: number
  readonly status: string | undefined
  readonly facts: Readonly<Record<string, unknown>>
}

/** Facts for the manifest that `readRun` needs. */
export const factsOf = (plan: Plan, set: readonly string[], plugins: readonly StoredPlugin[]) => {
  return { set, plugins, structure: structureOf(plan), sources: Object.fromEntries(plan.sources) }
}

/**
 * Reads the manifest of a run and loads its graph, which must be what it was. The manifest has the text of each graph
 * file: it is used in place of one that can no longer be read.
 */
export function readRun(directory: string, { registry, environment }: World): PastRun {
  const path = join(directory, 'manifest.json')
  if (!existsSync(path))
    throw new UsageError(`${directory}: must be a run directory, found no manifest.json in it`)
  const facts = readJsonObject(path)
  const { graph, seed, set, status } = facts
  if (typeof graph !== 'string' || !Number.isInteger(seed) || typeof seed !== 'number' || !Array.isArray(set))
    throw new UsageError(`${path}: must have "graph", "seed" and "set"; an older version of flow wrote it`)
  const plan = loadGraph(graph, registry, { set: set.map(String), environment, read: readOrRecall(facts) })
  const changes = differences(facts.resolved, hideIn(JSON.parse(JSON.stringify(plan.shown)), plan.secrets))
  if (changes.length > 0 || facts.structure !== structureOf(plan)) {
    const places = changes.map(({ path, before, after }) => `${path} was ${show(before)}, is ${show(after)}`)
    const found = places.join('; ') || 'another sub-graph'
    throw new UsageError(`${graph}: must be as it was when ${directory} started; found ${found}`)
  }
  return { plan, seed, facts, status: typeof status === 'string' ? status : undefined }
}

/**
 * Truncates the files of a run to its newest whole checkpoint, and returns the options to continue from there. A damaged
 * checkpoint is set aside, and `complain` hears which one, why, and what is done again.
 */
export async function rewindRun(
  directory: string,
  { plan, facts }: PastRun,
  complain: (line: string) => void,
) {
  if (!plan.checkpoint) {
    const remedy = 'the graph has no "checkpoint"; add one, or start with --set checkpoint.every=N'
    throw new UsageError(`${directory}: must have been started with checkpoints to go on: ${remedy}`)
  }
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
  const resumed = [...before, { checkpoint: name ?? null, at: new Date().toISOString() }]
  const { set, plugins, structure, sources, started } = facts
  return {
    ...(from !== undefined && { from }),
    facts: { set, plugins, structure, sources, started, resumed },
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

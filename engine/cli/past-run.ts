import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadGraph } from '../graph/check.ts'
import { differences } from '../graph/differences.ts'
import type { Plan } from '../graph/plan.ts'
import { show } from '../graph/problem.ts'
import { hideIn } from '../graph/secrets.ts'
import { checkpointsOf, listCheckpoints, readState, removeLeftovers } from '../run/checkpoint/folder.ts'
import { rewindFiles } from '../run/record/files.ts'
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
  // the file is ours, and it is replaced as a whole
  const facts = JSON.parse(readFileSync(path, 'utf8')) as PastRun['facts']
  const { graph, seed, set, status } = facts
  if (typeof graph !== 'string' || typeof seed !== 'number' || !Array.isArray(set))
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

/** Truncates the files of a run to its newest checkpoint, and returns the options to continue from there. */
export async function rewindRun(directory: string, { plan, facts }: PastRun) {
  if (!plan.checkpoint) {
    const remedy = 'the graph has no "checkpoint"; add one, or start with --set checkpoint.every=N'
    throw new UsageError(`${directory}: must have been started with checkpoints to go on: ${remedy}`)
  }
  await removeLeftovers(directory)
  const name = (await listCheckpoints(directory)).at(-1)
  const from = name === undefined ? undefined : join(checkpointsOf(directory), name)
  rewindFiles(directory, from === undefined ? {} : (await readState(from)).files)
  const before = Array.isArray(facts.resumed) ? facts.resumed : []
  const resumed = [...before, { checkpoint: name ?? null, at: new Date().toISOString() }]
  const { set, plugins, structure, sources, started } = facts
  return {
    ...(from !== undefined && { from }),
    facts: { set, plugins, structure, sources, started, resumed },
  }
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

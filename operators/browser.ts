// `flow/browser`: the engine, the operators and the kernels for a browser tab or a worker of one. The build makes one file of it,
// which any bundler takes and any page can import.
import { loadGraph } from '../engine/graph/check.ts'
import type { Operator, Resource } from '../engine/operator.ts'
import { mount } from '../engine/platform/browser.ts'
import { dirname, join } from '../engine/platform/paths.ts'
import { startRun } from '../engine/run/run.ts'
import type { Run, RunOptions } from '../engine/run/summary.ts'
import { inside } from '../engine/shared/inside.ts'
import * as anywhere from './anywhere.ts'
import { featureCache, noFeatures } from './model/feature-cache.ts'

export { checkGraph, loadGraph } from '../engine/graph/check.ts'
export { apiVersion, operator, resource } from '../engine/operator.ts'
export { mount, onPrint } from '../engine/platform/browser.ts'
export { existsSync, readdirSync, readFileSync, rmSync } from '../engine/platform/files.ts'
export { askRun } from '../engine/run/record/control.ts'
export { askTap, stopTap } from '../engine/run/record/tap.ts'
export { startRun } from '../engine/run/run.ts'
export type { Run, RunEvent, RunOptions, RunSummary } from '../engine/run/summary.ts'
export { RunReader } from '../engine/view/run-reader.ts'
export * from '../kernels/index.ts'
export { operators } from './anywhere.ts'
export { drawClip } from './shapes/clips.ts'

/** The resource types of a tab, by their names in graphs. It keeps no vision features. */
const tabResources = { ...anywhere.resources, 'feature-cache': featureCache(() => noFeatures) }

export { tabResources as resources }

export interface GraphRun extends Pick<RunOptions, 'onEvent'> {
  /** The folder for the run's files in the tab's own file system; it is made if it is missing. */
  directory: string
  seed?: number
  /** `key=value` texts, as `--set` of `flow run` takes them. */
  set?: readonly string[]
  /** More operators and resources, or others instead of those of flow. */
  operators?: Readonly<Record<string, Operator>>
  resources?: Readonly<Record<string, Resource>>
}

/**
 * Checks a graph and starts it: the path of a mounted file, or a graph as its file would hold it. Throws a `GraphError` that
 * holds every problem.
 */
export async function runGraph(graph: string | object, options: GraphRun): Promise<Run> {
  const { directory, seed = 0, set = [], operators, resources, onEvent } = options
  const file = typeof graph === 'string' ? graph : join(dirname(directory), 'graph.json')
  if (typeof graph !== 'string') await mount(file, new TextEncoder().encode(JSON.stringify(graph)))
  const registry = {
    operators: { ...anywhere.operators, ...operators },
    resources: { ...tabResources, ...resources },
  }
  const plan = loadGraph(file, registry, { set, environment: {} })
  return startRun(plan, { seed, directory, ...(onEvent && { onEvent }) })
}

/** Fetches files of a folder at an address and mounts them under a path. */
export async function mountFrom(address: string, names: readonly string[], path: string): Promise<void> {
  const fetched = names.map(async name => {
    const response = await fetch(`${address}/${name}`)
    if (!response.ok) throw new Error(`${address}/${name}: ${response.status} ${response.statusText}`)
    await mount(inside(path, name), new Uint8Array(await response.arrayBuffer()))
  })
  await Promise.all(fetched)
}

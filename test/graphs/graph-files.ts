import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSource } from '../../engine/graph/file/extends.ts'
import { repository } from '../fixtures.ts'

/** What a graph file of ours says together with the files that it extends. */
export interface Graph {
  summary: string
  params?: Record<
    string,
    { type: string; enum?: string[]; default?: unknown; product?: unknown[]; sum?: unknown[] }
  >
  resources?: Record<string, { resource: string; config?: object }>
  nodes: Record<string, { operator?: string; config?: object; from?: object }>
}

export const graphsFolder = join(repository, 'graphs')

/** Names of the graph files in `graphs/` that can be run. Parts have inputs or no operator: others include them. */
export const runnable = readdirSync(graphsFolder, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.json') && !name.startsWith('parts/'))
  .sort()

/** Reads a graph of ours by its name, e.g. `presets/dapo.json`. */
export function readGraph(name: string): Graph {
  const source = readSource(join(graphsFolder, name), file => readFileSync(file, 'utf8'), [])
  if (!source) throw new Error(`${name}: not a graph`)
  // the test that checks each graph reports any other layout
  return source.value as Graph
}

/** A setting for each param that nothing else gives a value. */
export function settingsFor({ params = {} }: Graph): string[] {
  const open = Object.entries(params).filter(
    ([, param]) => (param.default ?? param.product ?? param.sum) === undefined,
  )
  return open.map(([name, param]) => {
    const [first] = param.enum ?? []
    return `${name}=${first ?? (param.type === 'string' ? 'somewhere' : 1)}`
  })
}

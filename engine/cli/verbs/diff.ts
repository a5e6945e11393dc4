import { existsSync } from 'node:fs'
import { loadGraph } from '../../graph/check.ts'
import { differences } from '../../graph/differences.ts'
import { endName, type Wire } from '../../graph/flatten/flat.ts'
import { knownBytes, planMemory } from '../../graph/memory.ts'
import { nearBy, shippedAs } from '../../graph/missing-file.ts'
import type { Plan } from '../../graph/plan.ts'
import { show } from '../../graph/problem.ts'
import { hide } from '../../graph/secrets.ts'
import { showBytes } from '../../shared/bytes.ts'
import { inPlaceOf } from '../../shared/files.ts'
import { UsageError } from '../arguments.ts'
import { compareRuns } from '../compare-runs.ts'
import { pluginFlags } from '../plug.ts'
import { isRun } from '../run-facts.ts'
import { setFlag, type Verb } from '../verb.ts'

export const diff: Verb = {
  summary: 'Lists the differences between two graphs, or between two runs.',
  usage: 'GRAPH GRAPH | RUN RUN',
  loads: 'graphs',
  flags: { ...pluginFlags, set: { ...setFlag, description: `${setFlag.description} For both graphs.` } },
  example: 'npx flow diff flow:grpo.json flow:coldstart.json',
  run: async (words, { registry, environment, print }) => {
    const { positional } = words
    if (positional.length !== 2)
      throw new UsageError(
        `must name two graph files or two runs, found ${positional.join(' ') || 'nothing'}`,
      )
    const [one = '', two = ''] = positional
    if (isRun(one) || isRun(two)) {
      const found = compareRuns(one, two)
      for (const line of found.length > 0 ? found : ['no difference']) print(line)
      return 0
    }
    for (const path of positional) refuseUnlessEither(path)
    const [before, after] = positional.map(file =>
      loadGraph(file, registry, { set: words.all('set'), environment }),
    )
    const lines = before && after ? compare(before, after) : []
    const secrets = new Map([...(before?.secrets ?? []), ...(after?.secrets ?? [])])
    for (const line of lines) print(hide(line, secrets))
    if (lines.length === 0) print('no difference')
    return 0
  },
}

/** Of what is neither a graph file, nor near the name of one, nor a run, it cannot be known which of them was meant. */
function refuseUnlessEither(path: string): void {
  const found = inPlaceOf(path, 'manifest.json')
  if (found === 'a file' || path.startsWith('flow:')) return
  if (existsSync(path) || (nearBy(path) ?? shippedAs(path)) === undefined)
    throw new UsageError(
      `${path}: must be a graph file or a run directory, found ${found}`,
      'give the path of one, seen from here; "flow ls" lists the runs',
    )
}

/** A line for each difference, by part. */
export function compare(before: Plan, after: Plan): string[] {
  const [left, right] = [partsOf(before), partsOf(after)]
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])]
  return names.flatMap(name => {
    const [one, two] = [left[name], right[name]]
    if (!two) return [`- ${name} (${one?.type})`]
    if (!one) return [`+ ${name} (${two.type})`]
    return differences(one, two).map(({ path, before, after }) => {
      const [was, is] = [before, after].map(value => (value === undefined ? 'nothing' : show(value)))
      return `~ ${name}: ${path} was ${was}, is ${is}`
    })
  })
}

interface ComparedPart {
  type: string
  config: unknown
  [more: string]: unknown
}

/** All parts of a plan by name, as values that can be compared. */
function partsOf(plan: Plan): Record<string, ComparedPart> {
  const parts: Record<string, ComparedPart> = {}
  const memory = planMemory(plan)
  const { rows, bytes, hostBytes } = memory
  const memoryOf = (part: string) =>
    Object.fromEntries(
      rows.filter(row => row.part === part).map(({ what, bytes }) => [what, showBytes(bytes)]),
    )
  for (const { name, resourceName, config } of plan.resources)
    parts[`resource ${name}`] = { type: resourceName, config, memory: memoryOf(name) }
  for (const { name, operatorName, operator, config, onError, wires } of plan.nodes) {
    const outputs = Object.keys(operator.outputs)
    parts[`node ${name}`] = {
      type: operatorName,
      config,
      onError,
      from: Object.fromEntries(wires.map(wire => [`${wire.port} ← ${endName(wire.from)}`, edgeOf(wire)])),
      shapes: Object.fromEntries(outputs.map(port => [port, plan.types.output({ node: name, port })])),
      memory: memoryOf(name),
    }
    for (const wire of wires) {
      const edge = `${endName(wire.from)} → ${name}.${wire.port}`
      const row = rows.find(row => row.part === edge)
      if (row) parts[`edge ${edge}`] = { type: 'edge', config: {}, memory: showBytes(row.bytes) }
    }
  }
  parts.memory = {
    type: 'memory',
    config: {},
    gpu: knownBytes(bytes, memory),
    host: knownBytes(hostBytes, memory),
  }
  if (plan.checkpoint) parts.checkpoint = { type: 'checkpoint', config: plan.checkpoint }
  return parts
}

const edgeOf = ({ capacity, whenFull, keep, initial, maxLag }: Wire) => ({
  capacity,
  whenFull,
  keep,
  initial: initial?.value,
  maxLag,
})

// What a run's folder tells of the times of its nodes.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plan, PlannedPart } from '../../graph/plan.ts'
import { UsageError } from '../arguments.ts'
import { readStatus } from '../live-run.ts'
import type { Times } from './workers.ts'

export interface Profile {
  readonly times: Times
  readonly part: PlannedPart
  /** Bytes of a version; undefined where the run copied none. */
  readonly versionBytes: number | undefined
}

/** The times of a graph's nodes, from a run of it in one process or over workers. */
export function profileOf(plan: Plan, run: string): Profile {
  const [part, ...others] = plan.parts
  if (!part || others.length > 0)
    throw new UsageError(`${plan.file}: must have one part to be simulated, found ${plan.parts.length}`)
  const seconds = new Map<string, number>()
  const items = new Map<string, number>()
  const workers = workersOf(run)
  for (const folder of [run, ...workers])
    for (const { name, workSeconds, items: count } of readStatus(folder).nodes) {
      seconds.set(name, (seconds.get(name) ?? 0) + workSeconds)
      items.set(name, (items.get(name) ?? 0) + count)
    }
  const sorted = inOrder(plan)
  const [first = ''] = sorted.filter(name => part.nodes.has(name))
  const count = items.get(first) ?? 0
  const missing = [...part.nodes].filter(name => !seconds.has(name))
  if (missing.length > 0 || count === 0)
    throw new UsageError(
      `--profile ${run}: must be a run of this graph that has worked on items, found no times of ${missing.join(', ') || first}`,
      workers.length > 0
        ? undefined
        : 'give a run in one process or with --workers: those that "flow work" joins keep their times themselves',
    )
  const perItem = (names: readonly string[]) => names.map(name => (seconds.get(name) ?? 0) / count)
  const gate = plan.nodes
    .filter(({ name }) => part.nodes.has(name))
    .flatMap(({ wires }) => wires)
    .find(({ maxLag }) => maxLag !== undefined)
  const leading = ancestorsOf(part, plan)
  const after = sorted.filter(name => !part.nodes.has(name) && !leading.has(name) && name !== gate?.from.node)
  const log = messagesOf(run)
  const copies = matches(log, /a copy of (\d+) bytes took ([\d.]+) s/)
  const takes = workers.flatMap(folder =>
    matches(messagesOf(folder), /taking the version of .* took ([\d.]+) s/),
  )
  const updates = linesOf(join(run, 'metrics.jsonl'))
  return {
    part,
    versionBytes: copies.length > 0 ? Number(copies.at(-1)?.[1]) : undefined,
    times: {
      before: perItem(sorted.filter(name => leading.has(name))),
      part: perItem(sorted.filter(name => part.nodes.has(name))),
      after: perItem(after),
      credits: part.credits,
      ...(gate && {
        versions: {
          maxLag: gate.maxLag ?? 0,
          items: Math.max(1, Math.round(count / Math.max(1, updates))),
          update: (seconds.get(gate.from.node) ?? 0) / Math.max(1, updates),
          copy: mean(copies.map(([, , took]) => Number(took))),
          take: mean(takes.map(([, took]) => Number(took))),
        },
      }),
    },
  }
}

/** Folders of the workers that a run started, one for each start. */
function workersOf(run: string): string[] {
  const folder = join(run, 'workers')
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('status.json'))
    .map(name => join(folder, name, '..'))
}

/** Nodes along the edges, without those that lead back. */
function inOrder({ nodes }: Plan): string[] {
  const sorted: string[] = []
  const visit = (name: string) => {
    if (sorted.includes(name)) return
    const node = nodes.find(one => one.name === name)
    for (const { from, initial } of node?.wires ?? []) if (initial === undefined) visit(from.node)
    if (!sorted.includes(name)) sorted.push(name)
  }
  for (const { name } of nodes) visit(name)
  return sorted
}

/** Nodes outside the part that lead into it. */
function ancestorsOf(part: PlannedPart, { nodes }: Plan): Set<string> {
  const found = new Set<string>()
  const visit = (name: string) => {
    for (const { from, initial } of nodes.find(one => one.name === name)?.wires ?? []) {
      if (initial !== undefined || part.nodes.has(from.node) || found.has(from.node)) continue
      found.add(from.node)
      visit(from.node)
    }
  }
  for (const name of part.nodes) visit(name)
  return found
}

const textOf = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '')
const messagesOf = (folder: string): string[] => textOf(join(folder, 'log.jsonl')).split('\n')
const linesOf = (path: string): number => textOf(path).split('\n').length - 1

function matches(lines: readonly string[], pattern: RegExp): RegExpExecArray[] {
  return lines.flatMap(line => {
    const found = pattern.exec(line)
    return found ? [found] : []
  })
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, one) => sum + one, 0) / values.length

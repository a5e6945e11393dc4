import { readFileSync } from 'node:fs'
import { map } from 'rxjs'
import type { Test } from 'tap'
import { type CheckOptions, checkGraph, loadGraph } from '../../engine/graph/check.ts'
import type { Registry } from '../../engine/graph/plan.ts'
import { describe } from '../../engine/graph/problem.ts'
import { type Context, operator, resource } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import type { Run, RunOptions, RunSummary } from '../../engine/run/summary.ts'

/** Buffers that a test's operators make: what the engine must free. */
export class Buffers {
  live = 0
  peak = 0
  made = 0

  make(): () => void {
    this.made++
    this.peak = Math.max(this.peak, ++this.live)
    let freed = false
    return () => {
      if (freed) throw new Error('freed twice')
      freed = true
      this.live--
    }
  }
}

/** What happened in a run, in order, as its operators told it. */
export interface TestBed {
  readonly registry: Registry
  readonly buffers: Buffers
  readonly events: string[]
  /** Values that reached a sink. */
  readonly seen: unknown[]
  /** Pieces of work that a test ends by hand. */
  readonly gates: Map<string, () => void>
}

/** Yields to timers and files, not only to promises. */
export const turn = () => new Promise<void>(resolve => setImmediate(resolve))

/** Operators for tests: a source of numbers with buffers, a worker, a sink, and what cycles need. */
export function testBed(extra: Partial<Registry> = {}, seen: unknown[] = []): TestBed {
  const buffers = new Buffers()
  const events: string[] = []
  const gates = new Map<string, () => void>()
  const range = operator({
    summary: 'Counts from zero.',
    config: {
      count: { type: 'integer', minimum: 0, description: 'How many numbers.' },
      bytes: { type: 'integer', minimum: 0, default: 0, description: 'Bytes of each.' },
    },
    inputs: {},
    outputs: { numbers: 'number' },
    run: (_, { count, bytes }, context) => ({
      numbers: context.source(async function* () {
        for (let value = 0; value < count; value++) {
          yield { key: String(value), value, bytes, dispose: buffers.make() }
        }
        events.push('source ended')
      }),
    }),
  })
  const work = operator({
    summary: 'Copies numbers into new buffers.',
    config: {
      concurrency: { type: 'integer', minimum: 1, default: 1, description: 'At a time.' },
      copies: { type: 'integer', minimum: 0, default: 1, description: 'Results for one number.' },
      failAt: { type: 'integer', default: -1, description: 'The number that fails.' },
      failures: { type: 'integer', default: 1_000_000, description: 'How often it fails.' },
    },
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, { concurrency, copies, failAt, failures }, context) => {
      let failed = 0
      const copy = context.each(
        async (value: number) => {
          // the earlier ones take longer, so that order has to be kept
          for (let turns = 3 - (value % 3); turns > 0; turns--) await turn()
          if (value === failAt && failed++ < failures) throw new Error('boom')
          return Array.from({ length: copies }, () => context.emit(value, { dispose: buffers.make() }))
        },
        { concurrency },
      )
      return { numbers: numbers.pipe(copy) }
    },
  })
  const collect = operator({
    summary: 'Remembers what comes.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    run: ({ items }, _, context) => ({
      seen: items.pipe(
        context.each((value: unknown) => {
          seen.push(value)
          return undefined
        }),
      ),
    }),
  })
  const double = operator({
    summary: 'Doubles with plain RxJS.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    drops: false,
    run: ({ numbers }) => ({
      numbers: numbers.pipe(
        map(item => {
          const next = item.derive(item.value * 2)
          item.release()
          return next
        }),
      ),
    }),
  })
  const registry: Registry = {
    operators: { range, work, collect, double, ...extra.operators },
    resources: { box: boxes(events), ...extra.resources },
  }
  return { registry, buffers, events, seen, gates }
}

/** A resource that tells when it opens and closes; it may need another one. */
function boxes(events: string[]) {
  return resource({
    summary: 'Holds a name.',
    config: {
      name: { type: 'string', description: 'What it holds.' },
      inner: { type: 'string', resource: 'box', default: '', description: 'Another box.' },
      broken: { type: 'boolean', default: false, description: 'Fails to open.' },
    },
    kind: 'box',
    open: async ({ name, inner, broken }, context: Context) => {
      if (broken) throw new Error('jammed')
      const within = inner === '' ? '' : ` around ${context.resource<string>(inner)}`
      events.push(`open ${name}${within}`)
      return name
    },
    close: name => {
      events.push(`close ${name}`)
    },
  })
}

/** A graph file's text from its nodes. */
export const graphText = (nodes: unknown, rest: object = {}): string =>
  JSON.stringify({ version: 1, summary: 'A test.', ...rest, nodes })

/** The problems of a graph given as text, one line each. */
export function problemsOf(text: string, registry: Registry, options: CheckOptions = {}): string[] {
  return checkGraph('g.json', registry, {
    ...options,
    read: name => (name === 'g.json' ? text : readFileSync(name, 'utf8')),
  }).problems.map(describe)
}

/** Starts nodes in a folder of the test's own. */
export function start(
  t: Test,
  nodes: unknown,
  { registry }: TestBed,
  options: Partial<RunOptions> & { rest?: object } = {},
): Run {
  const plan = loadGraph('g.json', registry, { read: () => graphText(nodes, options.rest) })
  return startRun(plan, { seed: 0, ...options, directory: options.directory ?? t.testdir() })
}

/** Runs nodes to their end. */
export const runNodes = (
  t: Test,
  nodes: unknown,
  on: TestBed,
  options: Partial<RunOptions> & { rest?: object } = {},
): Promise<RunSummary> => start(t, nodes, on, options).done

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { take } from 'rxjs'
import { loadGraph } from '../graph/check.ts'
import { defaultCapacity } from '../graph/file/graph-schema.ts'
import { configSchema } from '../graph/file/schema.ts'
import type { PlannedNode, Registry } from '../graph/plan.ts'
import { type Field, type Operator, operator, type Resource } from '../operator.ts'
import { startRun } from '../run/run.ts'
import type { Run, RunEvent, RunSummary } from '../run/summary.ts'
import { messageOf } from '../shared/errors.ts'
import { notFreed } from '../shared/not-freed.ts'

export interface ConformanceOptions {
  /** Values of config fields; each field without a default needs one. A field with `resource` takes a name in `resources`. */
  config?: Readonly<Record<string, unknown>>
  /** Values for each input, by port; numbers from 0 where none are given. */
  items?: Readonly<Record<string, readonly unknown[]>>
  /** Resources by name, opened with the defaults of their own config; those that no config names stay closed. */
  resources?: Readonly<Record<string, Resource>>
  /** Seconds after which a run counts as hanging; default 10. */
  seconds?: number
}

/**
 * Checks what every operator owes to the graphs around it, in runs of the engine: a config that is a schema, ports with
 * names, an end after its inputs end (with many items, with one, with none), a failure or an abort during the
 * run that frees every item, a consumer that leaves early, and a consumer that stops taking items, before which only as
 * many items as edges and credits allow may wait. Returns one sentence for each fault: none for an operator that conforms.
 */
export async function faultsOf(subject: Operator, options: ConformanceOptions = {}): Promise<string[]> {
  const shape = [...shapeFaults(subject), ...missingValues(subject, options)]
  if (shape.length > 0) return shape
  const faults: string[] = []
  const trial = (what: string, how: Trial) => attempt(subject, options, what, how, faults)
  await trial('many items', { status: 'completed', copies: 12 })
  await trial('one item', { status: 'completed', copies: 1 })
  await trial('no item', { status: 'completed', copies: 0 })
  await trial('an abort during the run', { status: 'aborted', copies: 40, act: run => run.abort() })
  await trial('a failure elsewhere', {
    status: 'failed',
    copies: 40,
    act: run => run.abort(new Error('elsewhere')),
  })
  await trial('a stop during the run', { status: 'stopped', copies: 40, act: run => run.stop() })
  if (Object.keys(subject.outputs).length > 0) {
    await trial('a consumer that leaves', { status: 'completed', copies: 40, take: 1 })
    if (Object.keys(subject.inputs).length > 0)
      await trial('a consumer that stops taking items', { status: 'aborted', copies: 400, block: true })
  }
  return faults
}

interface Trial {
  status: RunSummary['status']
  /** How often the given values are fed to each input. */
  copies: number
  /** Done when the first items have been fed. */
  act?: (run: Run) => void
  /** Items that consumers take before they leave. */
  take?: number
  /** Consumers keep the first item until the run is aborted. */
  block?: boolean
}

function shapeFaults({ summary, config, inputs, outputs }: Operator): string[] {
  const faults: string[] = []
  if (!/^[A-Z].*\.$/s.test(summary))
    faults.push(`summary: must be a sentence, found ${JSON.stringify(summary)}`)
  for (const [name, { description }] of Object.entries(config))
    if (!description?.trim()) faults.push(`config.${name}: must have a description`)
  try {
    const validate = new Ajv({ strict: true, strictTypes: false, useDefaults: true }).compile(
      configSchema(config),
    )
    const required = Object.values(config).filter(field => field.default === undefined)
    if (required.length === 0 && !validate({})) faults.push('config: its defaults must satisfy its own rules')
  } catch (error) {
    faults.push(`config: must be a schema: ${messageOf(error)}`)
  }
  for (const port of [...Object.keys(inputs), ...Object.keys(outputs)])
    if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(port))
      faults.push(`${port}: must be a port's name: a letter, then letters, digits, "_" or "-"`)
  return faults
}

/** Fields without a default for which the caller gave no value. */
function missingValues({ config }: Operator, { config: given = {} }: ConformanceOptions): string[] {
  return Object.entries(config).flatMap(([name, field]) => {
    if (field.default !== undefined || Object.hasOwn(given, name)) return []
    const resource = resourceOf(field)
    const what =
      resource === undefined
        ? `faultsOf(operator, { config: { ${name}: … } })`
        : `faultsOf(operator, { config: { ${name}: '${resource}' }, resources: tinyModel() }), or with resources of your own`
    return [`config.${name}: must be given, for it has no default: ${what}`]
  })
}

async function attempt(
  subject: Operator,
  options: ConformanceOptions,
  what: string,
  how: Trial,
  faults: string[],
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'flow-conformance-'))
  const feed: Feed = { given: 0, live: 0, blocked: false, taken: new Map() }
  const registry: Registry = {
    operators: { subject, give: giver(options.items ?? {}, how.copies, feed), take: taker(how, feed) },
    resources: options.resources ?? {},
  }
  try {
    const text = JSON.stringify(graphAround(subject, options))
    const plan = loadGraph('conformance.json', registry, { read: () => text })
    const said: string[] = []
    const onEvent = (event: RunEvent) => {
      if (event.type === 'log' && event.level === 'warn') said.push(event.message)
    }
    const run = startRun(plan, { seed: 1, directory, abortSeconds: 5, onEvent })
    const { act, block } = how
    if (act) setTimeout(() => act(run), 5)
    let taken = 0
    // long enough for anything that flows on without being asked
    if (block)
      setTimeout(() => {
        taken = feed.given
        run.abort()
      }, 300)
    const late = setTimeout(
      () => {
        faults.push(`${what}: must end, still running after ${options.seconds ?? 10} s`)
        run.abort()
      },
      (options.seconds ?? 10) * 1000,
    )
    const { status, error, leaked } = await run.done
    clearTimeout(late)
    // an operator may be done before it is interrupted
    const fine = status === how.status || (how.act !== undefined && status === 'completed')
    if (!fine && !faults.some(fault => fault.startsWith(`${what}: must end`))) {
      const isTold = error !== undefined && faults.some(fault => fault.endsWith(`: ${error.message}`))
      const why = error ? `: ${isTold ? 'by the same error' : error.message}` : ''
      faults.push(`${what}: must end as ${how.status}, ended as ${status}${why}`)
    }
    if (status === 'completed' && !how.take) faults.push(...brokenPromises(subject, what, how, feed))
    if (leaked > 0 || feed.live > 0)
      faults.push(`${what}: must release every item, ${Math.max(leaked, feed.live)} are left`)
    const unfreed = said.find(text => text.includes(notFreed))
    if (unfreed !== undefined) faults.push(`${what}: must free all GPU memory: ${unfreed}`)
    const planned = plan.nodes.find(node => node.operatorName === 'subject')
    if (planned && feed.blocked && taken > mostHeld(planned))
      faults.push(`${what}: must hold back what feeds it, took ${taken} items`)
  } catch (error) {
    faults.push(`${what}: ${messageOf(error)}`)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Outputs of an operator with `drops: false` at which fewer items came than went into the input that got the fewest. */
function brokenPromises(
  { drops, inputs, outputs }: Operator,
  what: string,
  how: Trial,
  feed: Feed,
): string[] {
  if (drops !== false || Object.keys(inputs).length === 0) return []
  return Object.keys(outputs).flatMap(port => {
    const taken = feed.taken.get(`take-${port}`) ?? 0
    if (taken >= how.copies) return []
    return [`${what}: must drop none, as it says, gave ${taken} of ${how.copies} items at "${port}"`]
  })
}

/** An upper bound of the items that edges and credits allow between the sources and a consumer that takes none. */
function mostHeld({ operator: { credits, collects, inputs }, config }: PlannedNode): number {
  const batch = collects?.(config) ?? 1
  const inside = credits?.(config) ?? collects?.(config) ?? 16
  const onEdges = defaultCapacity.items * (1 + batch)
  return Object.keys(inputs).length * (onEdges + inside + 4 * batch + 8)
}

function graphAround(subject: Operator, { config = {}, resources = {} }: ConformanceOptions): object {
  const inputs = Object.keys(subject.inputs)
  const outputs = Object.keys(subject.outputs)
  const gives = inputs.map(port => [`give-${port}`, { operator: 'give', config: { port } }])
  const takes = outputs.map(port => [
    `take-${port}`,
    { operator: 'take', from: { items: `subject.${port}` } },
  ])
  const from = Object.fromEntries(inputs.map(port => [port, `give-${port}.items`]))
  const nodes = Object.fromEntries([...gives, ['subject', { operator: 'subject', config, from }], ...takes])
  const used = Object.fromEntries(usedOf(subject, config, resources).map(name => [name, { resource: name }]))
  return { version: 1, summary: 'A trial.', resources: used, nodes }
}

/** The kind of resource that a field names. */
const resourceOf = (field: Field): string | undefined =>
  field.type === 'string' ? field.resource : undefined

/** The resources that a config names, and those that the defaults of their own config name. */
function usedOf(
  { config: fields }: Pick<Operator, 'config'>,
  config: Readonly<Record<string, unknown>>,
  resources: Readonly<Record<string, Resource>>,
  seen = new Set<string>(),
): string[] {
  for (const [key, field] of Object.entries(fields)) {
    const name = config[key] ?? field.default
    const used = resourceOf(field) !== undefined && typeof name === 'string' ? resources[name] : undefined
    if (!used || typeof name !== 'string' || seen.has(name)) continue
    seen.add(name)
    usedOf(used, {}, resources, seen)
  }
  return [...seen]
}

/** Feeds the given values over and over, counting those that were not freed. */
function giver(items: Readonly<Record<string, readonly unknown[]>>, copies: number, feed: Feed): Operator {
  const fields = { port: { type: 'string', description: 'The input that it feeds.' } } as const
  return operator({
    summary: 'Feeds an input.',
    config: fields,
    inputs: {},
    outputs: { items: 'any' },
    run: (_, { port }, context) => {
      const values = items[port] ?? [0]
      async function* pull() {
        for (let i = 0; i < copies; i++) {
          const value = items[port] ? values[i % values.length] : i
          feed.given++
          feed.live++
          yield { key: String(i), value, dispose: () => void feed.live-- }
        }
      }
      return { items: context.source(pull) }
    },
  })
}

function taker({ take: count, block }: Trial, feed: Feed): Operator {
  return operator({
    summary: 'Takes items.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    run: ({ items }, _, context) => {
      const look = async () => {
        feed.taken.set(context.node, (feed.taken.get(context.node) ?? 0) + 1)
        if (!block) return undefined
        feed.blocked = true
        await new Promise(resolve => context.signal.addEventListener('abort', resolve))
        return undefined
      }
      const wanted = count === undefined ? items : items.pipe(take(count))
      return { seen: wanted.pipe(context.each(look)) }
    },
  })
}

/** What a trial sees of the items that it feeds. */
interface Feed {
  given: number
  live: number
  /** A consumer has stopped taking items. */
  blocked: boolean
  /** Items that arrived, by the name of the node that takes them. */
  taken: Map<string, number>
}

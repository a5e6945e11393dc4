import type { Finding, GraphPart, Outlines } from '../../engine/operator.ts'
import type { Schedule } from './schedule.ts'

/** What an optimizer says before it is opened. */
export type ScheduleOutline = Pick<Schedule, 'steps' | 'schedule'>

/** A batch: the optimizer that it names, its items, how config states their number, and the updates that it makes. */
interface Batches {
  readonly optimizer: string
  readonly items: number
  readonly by: string
  readonly updates: number
}

export const updatesOf = (items: number, batch: Pick<Batches, 'items' | 'updates'>): number =>
  Math.ceil(items / batch.items) * batch.updates

/**
 * Compares the updates that `items` items make with the steps of the optimizer. At a constant rate more updates than steps are done;
 * at another schedule they would learn nothing, since its rate has come to its end.
 */
export function updateFindings(
  items: number,
  batch: Batches,
  { outline, parts = [], name = '', rows }: Pick<Outlines, 'outline' | 'parts' | 'name' | 'rows'>,
): (string | Finding)[] {
  const { optimizer, by } = batch
  const { steps, schedule } = outline<ScheduleOutline>(optimizer)
  const updates = Math.min(updatesOf(items, batch), takenAfter(parts, name))
  const holder = resourceOf(parts, name, optimizer)
  const passes = repeating(parts, name)
  const found = `${items} items, ${batch.items} for ${counted(batch.updates)} (${by}): ${counted(updates)}`
  if (updates === steps) return passes ? repeated(passes, items, rows).map(said => `${found}, ${said}`) : []
  if (updates === Number.POSITIVE_INFINITY) return passes ? neverEnds(passes, steps, batch, parts, name) : []
  if (updates > steps && schedule === 'constant')
    return [`${found}; all are done at the constant rate of "${optimizer}", whose steps are ${steps}`]
  const remedies = [
    // where a batch makes several updates, a limit that follows from steps would grow with them
    ...(batch.updates === 1 ? [`--set ${holder?.setting('steps') ?? 'steps'}=${updates}`] : []),
    ...(passes ? otherPasses(passes, items, steps, batch) : []),
  ]
  return [
    {
      ...(holder && { part: holder.name }),
      field: 'steps',
      rule: `must be ${updates}, the updates that the data makes`,
      lines: [passes ? `${saidOf(passes, items)}; ${found}` : found],
      code: updates < steps ? 'too-few-rows' : 'too-many-rows',
      remedy: remedies.join(', or '),
    },
  ]
}

/** Updates after which a node after this one ends the run. */
const takenAfter = (parts: readonly GraphPart[], name: string): number =>
  Math.min(
    ...parts
      .filter(({ type, from }) => type === 'stream.take' && from.some(output => nodeOf(output) === name))
      .map(({ config }) => Number(config.count)),
  )

const counted = (updates: number): string => (updates === 1 ? '1 update' : `${updates} updates`)

/** The only node before another one that passes over its items several times. */
function repeating(parts: readonly GraphPart[], name: string): GraphPart | undefined {
  const all = partsBefore(parts, name)
  const able = all.filter(({ config }) => typeof config.epochs === 'number')
  const several = able.filter(({ config }) => config.epochs !== 1 || config.limit !== 0)
  return several.length > 1 ? undefined : (several[0] ?? able[0])
}

function saidOf({ name, config: { epochs, limit } }: GraphPart, items: number): string {
  if (limit === items) return `"${name}" ends at its limit, ${limit}`
  if (epochs === 0) return `"${name}" repeats its rows`
  return `"${name}" has ${items / Number(epochs)} rows, read in ${epochs === 1 ? 'one pass' : `${epochs} passes`}`
}

/** Where a source repeats its rows until the steps are done: how often it reads them. */
function repeated({ name, config: { epochs } }: GraphPart, items: number, rows: Outlines['rows']): string[] {
  const count = rows?.get(name) ?? 0
  if (epochs !== 0 || count === 0 || items <= count) return []
  const passes = Math.ceil(items / count)
  return [`for which "${name}" reads its ${count === 1 ? 'only row' : `${count} rows`} ${passes} times`]
}

/** A warning where a source repeats its data without end, and no node after the update could end the run. */
function neverEnds(
  { config, setting, name: source }: GraphPart,
  steps: number,
  batch: Batches,
  parts: readonly GraphPart[],
  name: string,
): Finding[] {
  if (parts.some(({ from }) => from.some(output => nodeOf(output) === name))) return []
  const field = 'repeatUntil' in config ? 'repeatUntil' : 'limit'
  return [
    {
      part: source,
      field: 'epochs',
      rule: 'must end',
      lines: [
        `"${source}" repeats its rows without end; the optimizer "${batch.optimizer}" has ${steps} steps`,
      ],
      code: 'endless-rows',
      isWarning: true,
      remedy: `--set ${setting(field)}=${neededFor(steps, batch)} ends after them`,
    },
  ]
}

/** The number of items that make `steps` updates. */
const neededFor = (steps: number, { items, updates }: Batches): number => Math.ceil(steps / updates) * items

const nodeOf = (output: string): string => output.slice(0, output.lastIndexOf('.'))

/** Settings of a node that passes over its items by which they make as many updates as the optimizer has steps. */
function otherPasses({ config, setting }: GraphPart, items: number, steps: number, batch: Batches): string[] {
  const needed = neededFor(steps, batch)
  if (config.limit === items) return [`--set ${setting('limit')}=${needed}`]
  if (config.epochs === 0) return []
  const rows = items / Number(config.epochs)
  const passes = Math.floor(needed / rows)
  const isExact = passes > 0 && updatesOf(passes * rows, batch) === steps
  const isLess = updatesOf(items, batch) < steps
  const does = isLess ? `repeats the data until ${steps} are done` : `ends when ${steps} are done`
  return [
    ...(isExact ? [`--set ${setting('epochs')}=${passes}`] : []),
    ...(Number(config.repeatUntil) === needed ? [`--set ${setting('epochs')}=0, which ${does}`] : []),
  ]
}

/** The nodes that lead to a node. */
function partsBefore(parts: readonly GraphPart[], name: string): GraphPart[] {
  const nodes = new Map(parts.filter(({ kind }) => kind === 'node').map(part => [part.name, part]))
  const found = new Set<string>([name])
  for (const each of found) for (const output of nodes.get(each)?.from ?? []) found.add(nodeOf(output))
  found.delete(name)
  return [...found].flatMap(each => nodes.get(each) ?? [])
}

/** The resource that a node means by a name: of its own sub-graph, or of the nearest one around it. */
function resourceOf(parts: readonly GraphPart[], node: string, name: string): GraphPart | undefined {
  const scope = parts.find(part => part.kind === 'node' && part.name === node)?.scope ?? ''
  return parts
    .filter(
      part => part.kind === 'resource' && part.name === part.scope + name && scope.startsWith(part.scope),
    )
    .sort((one, other) => other.scope.length - one.scope.length)[0]
}

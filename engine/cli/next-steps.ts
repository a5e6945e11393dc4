// How many updates a run can do: what its data gives, and whether more steps would be done.

import { inScope } from '../graph/checks/resources.ts'
import { settingAt } from '../graph/flatten/param-at.ts'
import { itemCounts, type RowCounts } from '../graph/item-counts.ts'
import type { Plan, PlannedNode } from '../graph/plan.ts'
import { GraphError } from '../graph/problem.ts'
import type { Progress } from '../operator.ts'
import { UsageError } from './arguments.ts'
import { rowsOf } from './inspection/look-first.ts'
import { scheduleLines } from './new-schedule.ts'
import { type Changes, type PastRun, readRun } from './past-run.ts'
import { type RunFacts, readFacts } from './run-facts.ts'
import type { World } from './verb.ts'

/** The updates of a plan by rows of its sources; undefined where nodes may drop items, or rows are not known. */
export function updatesIn(plan: Plan, rows: RowCounts): number | undefined {
  const { outOf } = itemCounts(plan, rows)
  const { steps } = plan.params
  const counts = plan.nodes.filter(learns).map(outOf)
  const known = counts.filter(count => count !== undefined)
  if (known.length === 0 || known.length < counts.length) return undefined
  const most = Math.max(...known)
  return Number.isFinite(most) || typeof steps !== 'number' ? most : steps
}

const learns = ({ operator }: PlannedNode): boolean =>
  Object.values(operator.config).some(field => field.type === 'string' && field.resource === 'optimizer')

/** The steps with which a run would go on after its end: up to twice as many, 0 if there is nothing more to do; undefined where that cannot be told. */
export function nextSteps(
  plan: Plan,
  rows: RowCounts,
  withSteps: (steps: number) => Plan,
): number | undefined {
  const { steps } = plan.params
  const now = updatesIn(plan, rows)
  if (typeof steps !== 'number' || now === undefined) return undefined
  try {
    const next = updatesIn(withSteps(2 * steps), rows) ?? 0
    return next > now ? next : 0
  } catch (error) {
    // its param "steps" has a maximum
    if (error instanceof GraphError) return 0
    throw error
  }
}

/** Refuses to go on to more updates with a run whose data makes no more. */
function refuseUseless(
  { plan, begun, status }: PastRun,
  rows: RowCounts,
  { directory, steps: done }: RunFacts,
) {
  const { steps } = plan.params
  const updates = updatesIn(plan, rows)
  if (typeof steps !== 'number' || updates === undefined) return
  const isUsedUp = status === 'completed' && updates <= (updatesIn(begun, rows) ?? 0)
  if (updates >= steps && !isUsedUp) return
  throw new UsageError(
    `--steps ${steps}: must have data for as many updates: that of ${directory} makes ${updates}, of which ${done} are done`,
    [
      ...(done < updates ? [`resume without --steps, for the other ${updates - done}`] : []),
      `begin a new run with ${[`--set ${stepsOf(plan)}=N`, ...sourceSettings(plan, { epochs: '0' })].join(' ')}${weightsOf(plan, directory)}`,
    ].join('; or '),
  )
}

/** What a run that goes on to more updates has done, and how many it could do after them; refuses one that has no more data. */
export async function longerRun(
  past: PastRun,
  changes: Changes,
  world: World,
): Promise<{ before?: Progress; nextSteps?: number | undefined }> {
  const { plan, begun, directory } = past
  const facts = readFacts(directory)
  const rows = await rowsOf(plan)
  refuseUseless(past, rows, facts)
  for (const line of scheduleLines(begun, plan, facts.steps)) world.print(line)
  const { steps } = plan.params
  return {
    // of a run that counts no updates nothing can be missing
    ...(typeof steps === 'number' &&
      facts.progress?.of === undefined &&
      facts.progress && { before: { ...facts.progress, total: steps } }),
    nextSteps: nextSteps(plan, rows, more => readRun(directory, world, { ...changes, steps: more }).plan),
  }
}

const optimizersOf = ({ resources }: Plan) =>
  resources.filter(({ resource }) => resource.kind === 'optimizer')

/** What `--set` changes to change the number of updates. */
export function stepsOf(plan: Plan): string {
  const [at] = optimizersOf(plan).flatMap(holder => holder.at ?? [])
  return at ? settingAt(at, ['config', 'steps']) : 'steps'
}

/** How `--set` gives fields of the sources that state one above 0 a new value: `epochs` of 0 repeats their data. */
export const sourceSettings = ({ nodes }: Plan, values: Readonly<Record<string, string>>): string[] =>
  nodes.flatMap(({ wires, config, at }) =>
    wires.length > 0 || !at
      ? []
      : Object.entries(values).flatMap(([field, value]) =>
          Number(config[field]) > 0 ? [`--set ${settingAt(at, ['config', field])}=${value}`] : [],
        ),
  )

/** The settings by which a new run begins with the weights of another one; none where these are an adapter. */
function weightsOf(plan: Plan, directory: string): string {
  const settings = optimizersOf(plan).flatMap(({ config, scope }) => {
    const model = inScope(String(config.model), scope, plan.resources)
    if (!model?.at || !('path' in model.config) || Number(model.config.lora ?? 0) > 0) return []
    return [` --set ${settingAt(model.at, ['config', 'path'])}=${directory}/checkpoints/last/${model.name}`]
  })
  return settings.length === 0 ? '' : `${settings.join('')}, its weights`
}

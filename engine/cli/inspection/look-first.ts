import { statSync } from 'node:fs'
import { resolvePath } from '../../../operators/builtin.ts'
import { inspectPlan, type LookAt } from '../../graph/inspect.ts'
import type { RowCounts } from '../../graph/item-counts.ts'
import type { Plan, PlannedNode } from '../../graph/plan.ts'
import { GraphError } from '../../graph/problem.ts'
import { lookAtPath } from './named-paths.ts'
import { type Environment, variableProblems } from './variables.ts'

/** The rows of a plan's sources, as far as less than a second shows them. */
export const rowsOf = async (plan: Plan): Promise<RowCounts> =>
  (await inspectPlan(plan, lookBriefly, { isBrief: true })).rows

/**
 * Refuses a plan that a run would fail on, in the words of `flow check`, before the run has a folder or a device: as far as
 * less than a second shows it. Data in long files is left to the run, which reads them anyway. Gives the rows that it has seen.
 */
export async function lookFirst(
  plan: Plan,
  environment: Environment,
  nodes: readonly PlannedNode[],
  server?: string,
): Promise<RowCounts> {
  const wrong = await variableProblems(plan, environment, nodes, server)
  const { problems, rows } = await inspectPlan(plan, lookBriefly, { isBrief: true })
  if (wrong.length + problems.length > 0) throw new GraphError([...wrong, ...problems])
  return rows
}

/** Refuses variables of the environment that work on these nodes would fail on. */
export async function refuseVariables(
  plan: Plan,
  environment: Environment,
  nodes: readonly PlannedNode[],
  server?: string,
): Promise<void> {
  const wrong = await variableProblems(plan, environment, nodes, server)
  if (wrong.length > 0) throw new GraphError(wrong)
}

/** Bytes of a file that is read whole within about half a second. */
const longBytes = 2 ** 25

const lookBriefly: LookAt = (name, field, value) => {
  const seen = lookAtPath(name, field, value)
  if (seen !== undefined || field.type !== 'string' || field.reads !== 'data' || value === '') return seen
  const found = statSync(resolvePath(value))
  return found.isFile() && found.size > longBytes ? 'later' : undefined
}

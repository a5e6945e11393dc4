import { statSync } from 'node:fs'
import { resolvePath } from '../../../operators/builtin.ts'
import { inspectPlan, type LookAt } from '../../graph/inspect.ts'
import type { Plan } from '../../graph/plan.ts'
import { GraphError } from '../../graph/problem.ts'
import { lookAtPath } from './named-paths.ts'

/**
 * Refuses a plan that a run would fail on, in the words of `flow check`, before the run has a folder or a device: as far as
 * less than a second shows it. Data in long files is left to the run, which reads them anyway.
 */
export async function lookFirst(plan: Plan): Promise<void> {
  const { problems } = await inspectPlan(plan, lookBriefly, { isBrief: true })
  if (problems.length > 0) throw new GraphError(problems)
}

/** Bytes of a file that is read whole within about half a second. */
const longBytes = 2 ** 25

const lookBriefly: LookAt = (name, field, value) => {
  const seen = lookAtPath(name, field, value)
  if (seen !== undefined || field.type !== 'string' || field.reads !== 'data' || value === '') return seen
  const found = statSync(resolvePath(value))
  return found.isFile() && found.size > longBytes ? 'later' : undefined
}

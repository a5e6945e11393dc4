import type { Plan } from '../graph/plan.ts'
import { UsageError } from './arguments.ts'

/** Refuses to resume a run that kept no checkpoints; an evaluation goes on by its own command. */
export function refuseWithoutCheckpoint(directory: string, plan: Plan): void {
  if (plan.checkpoint) return
  const rule = `${directory}: must have been started with checkpoints to go on`
  if (plan.nodes.some(({ operatorName }) => operatorName === 'eval.pending'))
    throw new UsageError(
      `${rule}, found an evaluation, which keeps its answers in the folder that "out" names`,
      `type its first command again, which asks what is not answered; "flow show ${directory}" has it`,
    )
  throw new UsageError(
    `${rule}: the graph has no "checkpoint"; add one, or start with --set checkpoint.every=N`,
  )
}

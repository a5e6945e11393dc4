import type { Plan } from '../graph/plan.ts'
import type { Progress } from '../operator.ts'
import type { Status } from '../run/record/status.ts'
import type { RunEvent, RunSummary } from '../run/summary.ts'
import { droppedIn } from './counts.ts'
import { sourceSettings, stepsOf } from './next-steps.ts'
import { readFacts } from './run-facts.ts'

/** Follows how many of the updates that were asked for a run has done; `state` is what a run that is continued had done. */
export function updateCount(state?: Progress) {
  let last = state
  return {
    event(event: RunEvent): void {
      if (event.type === 'progress' && event.state.of === undefined) last = event.state
    },
    /**
     * What is missing at the end of a run, as a line to show; undefined when nothing is, or skipped items explain it, or
     * those that nodes dropped where that may be.
     */
    missing({ status, skipped, directory }: RunSummary, plan: Plan, nodes?: Status): string | undefined {
      const dropped = nodes ? droppedIn(nodes, plan) : 0
      if (!last && status === 'completed' && skipped === 0 && dropped > 0)
        return noUpdate(directory, plan, dropped)
      const { done = 0, total, isMost = false } = last ?? {}
      if (status !== 'completed' || total === undefined || done >= total || total - done <= skipped)
        return undefined
      if (isMost && dropped > 0) return undefined
      const fixes = [
        `let its reader take more (${readerSettings(plan)})`,
        ...(done > 0 ? [`ask for ${done}: --set ${stepsOf(plan)}=${done}`] : []),
      ]
      const refill =
        'where nodes drop items, flow:presets/dapo.json shows how to read on until all updates are done'
      return `${directory}: must do ${total} updates, did ${done}: its data ended
    fix:  ${fixes.join(', or ')}${isMost ? '' : `; ${refill}`}`
    },
  }
}

/** Where nodes dropped all that would have been learned: a line to show; undefined for a run that updates nothing, or has done so. */
function noUpdate(directory: string, plan: Plan, dropped: number): string | undefined {
  const update = plan.nodes.find(({ operator }) => operator.team)
  if (!update || readFacts(directory).metrics.loss !== undefined) return undefined
  return `${directory}: must do updates, did none: nothing reached "${update.name}", ${dropped} items were dropped before it
    fix:  look at the rewards and at what those nodes keep, or let its reader take more (${readerSettings(plan)})`
}

/** How `--set` lets the readers of a plan take more. */
const readerSettings = (plan: Plan): string =>
  sourceSettings(plan, { limit: 'MORE', epochs: '0' }).join(' ') || 'more rows'

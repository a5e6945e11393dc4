import { settingAt } from '../graph/flatten/param-at.ts'
import type { Plan } from '../graph/plan.ts'
import type { RunEvent, RunSummary } from '../run/summary.ts'

/** Follows how many of the updates that were asked for a run has done. */
export function updateCount() {
  let done = 0
  let total: number | undefined
  return {
    event(event: RunEvent): void {
      if (event.type !== 'progress' || event.state.of !== undefined || event.state.isMost) return
      done = event.state.done
      total = event.state.total
    },
    /** What is missing at the end of a run, as a line to show; undefined when nothing is, or skipped items explain it. */
    missing({ status, skipped, directory }: RunSummary, plan: Plan): string | undefined {
      if (status !== 'completed' || total === undefined || done >= total || total - done <= skipped)
        return undefined
      const more = `let its reader take more (${readerSettings(plan)}), or ask for ${done} steps`
      return `${directory}: must do ${total} updates, did ${done}: its data ended
    fix:  ${more}; where nodes drop items, flow:presets/dapo.json shows how to read on until all updates are done`
    },
  }
}

/** How `--set` lets the readers of a plan take more. */
function readerSettings({ nodes }: Plan): string {
  const settings = nodes.flatMap(({ wires, config, at }) => {
    if (wires.length > 0 || !at) return []
    const set = (field: string, value: string) =>
      field in config && Number(config[field]) > 0
        ? [`--set ${settingAt(at, ['config', field])}=${value}`]
        : []
    return [...set('limit', 'MORE'), ...set('epochs', '0')]
  })
  return settings.length > 0 ? settings.join(' ') : 'more rows'
}

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
    missing({ status, skipped, directory }: RunSummary): string | undefined {
      if (status !== 'completed' || total === undefined || done >= total || total - done <= skipped)
        return undefined
      return `${directory}: must do ${total} updates, did ${done}: its data ended; let its reader take more (a higher limit, or more passes by epochs=0), or ask for ${done} steps`
    },
  }
}

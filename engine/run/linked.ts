import type { Plan, PlannedNode } from '../graph/plan.ts'
import type { LogLevel } from '../operator.ts'
import { CodedError } from '../shared/errors.ts'
import { type Lease, leaseOf } from './items/lease.ts'
import type { LinkedRun } from './summary.ts'

interface Linking {
  resource(name: string, scope: string): unknown
  skipped(node: PlannedNode, item: Lease, error: unknown): void
  fail(error: unknown): void
  log(message: string, level?: LogLevel): void
}

/** What the other processes of a graph may do to a run. */
export function linkedRun(run: Linking, signal: AbortSignal, { nodes }: Plan): LinkedRun {
  return {
    resource: (name, scope) => run.resource(name, scope),
    fail: error => run.fail(error),
    log: (message, level) => run.log(message, level),
    signal,
    bury: ({ node, key, code = 'operator-failed', message }, item) => {
      const planned = nodes.find(({ name }) => name === node)
      const descendant = leaseOf(item.derive(undefined, { key, keep: false }))
      if (planned) run.skipped(planned, descendant, new CodedError(code, message))
      descendant.release()
    },
  }
}

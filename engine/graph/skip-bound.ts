import type { Finding } from '../operator.ts'
import { number } from '../shared/number.ts'
import { lastResort } from './flatten/flat.ts'
import { settingAt } from './flatten/param-at.ts'
import type { PlannedNode } from './plan.ts'

/** The share of its items that a node may skip. */
export function shareOf({ onError }: PlannedNode): number {
  if (lastResort(onError) === 'stop') return 0
  return typeof onError === 'object' ? (onError.skip ?? 1) : 1
}

/** What states the share that a node may skip, and how the command line sets it. */
export function boundOf({ name, at }: PlannedNode): { by: string; set: string } {
  const by = `onError of "${name}"`
  if (!at) return { by, set: `nodes.${name}.onError.skip` }
  const set = settingAt(at, ['onError', 'skip'])
  return { by: set.includes('.') ? by : `the param "${set}"`, set }
}

/** The setting by which the command line raises what a finding says, e.g. `failOnError=0.5`. */
export function raisedBy({ raise }: Finding, nodes: readonly PlannedNode[]): string | undefined {
  const at = raise && nodes.find(({ name }) => name === raise.node)?.at
  if (!at) return undefined
  const steps = ['config', raise.field]
  return `${settingAt(at, steps)}=${raise.to}`
}

/** How to let a node that may skip a share skip all that fails; undefined for another node, and where all fails. */
export function allowMore(
  node: PlannedNode,
  { items, of }: { items: number; of: number },
): string | undefined {
  const { onError } = node
  const share = Math.ceil((100 * items) / of) / 100
  if (typeof onError !== 'object' || onError.skip === undefined || share >= 1) return undefined
  return `let ${number(100 * share)} % of the items be skipped by --set ${boundOf(node).set}=${share}`
}

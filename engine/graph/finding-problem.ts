import type { Finding } from '../operator.ts'
import { foundAt, locate } from './flatten/flat.ts'
import { originOf, paramAt } from './flatten/param-at.ts'
import type { PlannedNode, PlannedResource } from './plan.ts'
import { type Problem, show } from './problem.ts'
import { allowMore } from './skip-bound.ts'

/** A finding about a part, with its place in the graph. `skips` is the node that may skip too few of the items. */
export function problemOf(
  { name, at, config }: PlannedNode | PlannedResource,
  finding: Finding,
  skips: PlannedNode | undefined,
): Problem {
  if (!at)
    throw new Error(`${name}: this node stands for a part; only nodes of a graph file can be inspected`)
  const { field, rule, lines, code, remedy, failing } = finding
  const allowed = failing && skips && allowMore(skips, failing)
  const more = lines.length > mostLines ? [`… and ${lines.length - mostLines} more`] : []
  const steps = field === '' ? ['config'] : ['config', field]
  const path = [...at.path, ...steps]
  const place = locate(at, steps)
  const param = paramAt(at, steps)
  return {
    code: 'cannot-run',
    ...place,
    rule,
    ...(field !== '' && foundAt(at.graph, path, shownWhole(config[field]))),
    ...(param !== undefined && { hint: originOf(param, config[field], at) }),
    ...(failing && failing.items < failing.of && { isOfSome: true }),
    details: [...lines.slice(0, mostLines).map(line => `${line} [${code}]`), ...more],
    remedy: allowed === undefined ? remedy : `${remedy}; or ${allowed}`,
  }
}

/** Faults told of one value. */
const mostLines = 5

/** A path is told whole, however long it is. */
const shownWhole = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : show(value)

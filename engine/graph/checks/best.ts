import { near } from '../did-you-mean.ts'
import type { PlannedNode, Registry } from '../plan.ts'
import { type Problem, show } from '../problem.ts'

/**
 * Reports a metric of `checkpoint.best` that no node records: no checkpoint would be kept for it. Where an operator of a plugin
 * does not say what it records, nothing can be said.
 */
export function checkBest(
  nodes: readonly PlannedNode[],
  best: string,
  { modules = {} }: Pick<Registry, 'modules'>,
  problems: Problem[],
): void {
  const isSilent = ({ operator, operatorName }: PlannedNode) =>
    !operator.metrics && Object.hasOwn(modules, operatorName)
  if (best === '' || nodes.some(isSilent)) return
  const rewards = [...new Set(nodes.flatMap(({ operator, config }) => operator.marks?.(config).adds ?? []))]
  const named = rewards.filter(name => name !== '')
  const names = [...new Set(nodes.flatMap(({ operator, config }) => operator.metrics?.(config, named) ?? []))]
  if (names.includes(best)) return
  const { nearest } = near(best, names)
  const source = nodes.find(({ scope }) => scope === '')?.at?.source
  problems.push({
    code: 'bad-config',
    ...(source && { place: source.place(['checkpoint', 'best']) }),
    path: 'checkpoint.best',
    rule: 'must be a metric that a node of the graph records',
    found: show(best),
    hint: names.length > 0 ? `recorded: ${names.join(', ')}` : 'no node records any',
    ...(nearest === undefined ? { remedy: 'name one of them, or leave "best" out' } : { nearest }),
  })
}

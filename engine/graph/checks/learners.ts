import { locate } from '../flatten/flat.ts'
import { followsFrom, settingAt } from '../flatten/param-at.ts'
import { type PlannedNode, settingOf } from '../plan.ts'
import { type Problem, show } from '../problem.ts'

/** What keeps a number of learners from sharing the updates of a graph. */
export function checkLearners(nodes: readonly PlannedNode[], learners: number, problems: Problem[]): void {
  if (learners < 2) return
  const flag = `--learners ${learners}`
  const about = (node: PlannedNode | undefined, rule: string, remedy: string): Problem => {
    const place = node?.at ? locate(node.at, ['operator']) : { path: flag }
    const found = node && { found: show(node.operatorName) }
    return { code: 'bad-learners', ...place, rule, remedy, ...found }
  }
  const without = `leave out ${flag}`
  for (const node of nodes) {
    const { operator, config, at } = node
    if (!operator.team) {
      if (changesInPlace(node))
        problems.push(
          about(
            node,
            `must be able to divide its updates among ${learners} learners`,
            `${without}, or use an operator that can: grpo.update, dpo.update, sft.update, or one made by groupLoss`,
          ),
        )
      continue
    }
    const field = operator.team.pieces
    const pieces = Number(config[field])
    if (pieces >= learners) continue
    const place = at ? locate(at, ['config', field]) : { path: flag }
    const rule = `must be at least ${learners} for ${learners} learners: each needs a share of every update`
    const setting = settingOf(`nodes.${node.name}`, at)(field)
    const remedy = `--set ${setting}=${learners} or more${withLag(nodes, node, setting, learners - 1)}, or fewer --learners`
    problems.push({ code: 'bad-learners', ...place, rule, found: String(pieces), remedy })
  }
  if (!nodes.some(node => node.operator.team ?? changesInPlace(node)))
    problems.push(about(undefined, 'must be for a graph that updates weights, found no such node', without))
}

/** A batch that fills only if more items may be ahead of its update; where that number follows from `setting`, nothing. */
function withLag(nodes: readonly PlannedNode[], { name }: PlannedNode, setting: string, lag: number): string {
  const gates = nodes.flatMap(({ name: gated, at, wires }) =>
    wires
      .filter(({ from, maxLag }) => from.node === name && maxLag !== undefined && maxLag < lag)
      .flatMap(({ port }) => {
        const steps = ['from', port, 'maxLag']
        if (!at) return `nodes.${gated}.${steps.join('.')}=${lag}`
        return followsFrom(at, steps).includes(setting) ? [] : `${settingAt(at, steps)}=${lag}`
      }),
  )
  return gates.map(gate => ` with --set ${gate}`).join('')
}

const changesInPlace = ({ operator }: PlannedNode): boolean =>
  Object.values(operator.outputs).some(port => typeof port === 'object' && port.inPlace === true)

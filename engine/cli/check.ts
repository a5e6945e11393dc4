import { checkGraph } from '../graph/check.ts'
import { describe } from '../graph/problem.ts'
import { onlyWord } from './arguments.ts'
import { setFlag, type Verb } from './verb.ts'

export const check: Verb = {
  summary: 'Reports everything that is wrong with a graph, and what is noteworthy in the data that it reads.',
  usage: 'GRAPH',
  flags: { set: setFlag },
  example: 'flow check graphs/grpo.json --set group=4',
  run: async (words, { registry, environment, print, complain }) => {
    const file = onlyWord(words, 'graph file')
    const { plan, problems } = checkGraph(file, registry, { set: words.all('set'), environment })
    for (const problem of problems) complain(describe(problem))
    if (!plan) return 2
    const edges = plan.nodes.reduce((sum, node) => sum + node.wires.length, 0)
    print(`${file}: ok, ${plan.nodes.length} nodes, ${edges} edges, ${plan.resources.length} resources`)
    let unreadable = false
    for (const { name, operator, config } of plan.nodes) {
      if (!operator.inspect) continue
      try {
        for (const line of await operator.inspect(config)) print(`${name}: ${line}`)
      } catch (error) {
        complain(`${name}: ${error instanceof Error ? error.message : String(error)}`)
        unreadable = true
      }
    }
    return unreadable ? 2 : 0
  },
}

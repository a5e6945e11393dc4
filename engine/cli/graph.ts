import { loadGraph, type Plan } from '../graph/check.ts'
import { onlyWord } from './arguments.ts'
import { pluginFlag } from './plug.ts'
import { setFlag, type Verb } from './verb.ts'

export const graph: Verb = {
  summary: 'Draws a graph as text for Mermaid or Graphviz.',
  usage: 'GRAPH',
  flags: {
    format: { value: 'FORMAT', choices: ['mermaid', 'dot'], description: 'mermaid (the default) or dot.' },
    set: setFlag,
    plugin: pluginFlag,
  },
  example: 'flow graph graphs/grpo.json --format dot',
  run: async (words, { registry, environment, print }) => {
    const plan = loadGraph(onlyWord(words, 'graph file'), registry, { set: words.all('set'), environment })
    print(words.last('format') === 'dot' ? dot(plan) : mermaid(plan))
    return 0
  },
}

function mermaid({ nodes }: Plan): string {
  const ids = new Map(nodes.map(({ name }, i) => [name, `n${i}`]))
  const boxes = nodes.map(({ name, operatorName }) => `  ${ids.get(name)}["${name}<br/>${operatorName}"]`)
  const edges = edgesOf(nodes).map(({ from, to, label, feedback }) => {
    const arrow = feedback ? '-.->' : '-->'
    return `  ${ids.get(from)} ${arrow}|"${label}"| ${ids.get(to)}`
  })
  return ['flowchart LR', ...boxes, ...edges].join('\n')
}

function dot({ nodes }: Plan): string {
  const boxes = nodes.map(
    ({ name, operatorName }) => `  "${name}" [shape=box, label="${name}\\n${operatorName}"]`,
  )
  const edges = edgesOf(nodes).map(({ from, to, label, feedback }) => {
    const style = feedback ? ', style=dashed, constraint=false' : ''
    return `  "${from}" -> "${to}" [label="${label}"${style}]`
  })
  return ['digraph flow {', '  rankdir=LR', ...boxes, ...edges, '}'].join('\n')
}

function edgesOf(nodes: Plan['nodes']) {
  return nodes.flatMap(node =>
    node.wires.map(({ from, port, initial }) => {
      const label = from.port === port ? port : `${from.port} → ${port}`
      return { from: from.node, to: node.name, label, feedback: initial !== undefined }
    }),
  )
}

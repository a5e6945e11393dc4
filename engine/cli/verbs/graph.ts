import { loadGraph } from '../../graph/check.ts'
import { readSettings } from '../../graph/file/settings.ts'
import type { Plan } from '../../graph/plan.ts'
import { resolvedGraph } from '../../graph/resolved.ts'
import { drawGraph } from '../../view/draw-graph.ts'
import { onlyWord } from '../arguments.ts'
import { pluginFlags } from '../plug.ts'
import { setFlag, type Verb } from '../verb.ts'

export const graph: Verb = {
  summary: 'Draws a graph, or prints it as one file together with the files that it extends.',
  usage: 'GRAPH',
  loads: 'graphs',
  flags: {
    format: {
      value: 'FORMAT',
      choices: ['mermaid', 'dot', 'svg'],
      description: 'mermaid (the default), dot or svg.',
    },
    resolved: {
      description: 'Print the graph as one JSON file: what it extends and --set are merged into it.',
    },
    set: setFlag,
    ...pluginFlags,
  },
  example: 'npx flow graph flow:grpo.json --format svg > grpo.svg',
  run: async (words, { registry, environment, print }) => {
    const set = words.all('set')
    const plan = loadGraph(onlyWord(words, 'graph file'), registry, { set, environment })
    if (words.last('resolved') !== undefined) {
      print(JSON.stringify(resolvedGraph(plan, readSettings(set).settings), null, 2))
      return 0
    }
    const format = words.last('format')
    print(format === 'dot' ? dot(plan) : format === 'svg' ? svg(plan) : mermaid(plan))
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

const svg = ({ nodes }: Plan): string =>
  drawGraph({
    boxes: nodes.map(({ name, operatorName }) => ({ name, detail: operatorName })),
    arrows: edgesOf(nodes),
  })

function edgesOf(nodes: Plan['nodes']) {
  return nodes.flatMap(node =>
    node.wires.map(({ from, port, initial }) => {
      const label = from.port === port ? port : `${from.port} → ${port}`
      return { from: from.node, to: node.name, label, feedback: initial !== undefined }
    }),
  )
}

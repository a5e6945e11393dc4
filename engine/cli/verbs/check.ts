import { checkGraph } from '../../graph/check.ts'
import type { Plan } from '../../graph/plan.ts'
import { type ReportFormat, report } from '../../graph/problem-report.ts'
import { hide } from '../../graph/secrets.ts'
import { messageOf } from '../../shared/errors.ts'
import { onlyWord } from '../arguments.ts'
import { pluginFlags } from '../plug.ts'
import { setFlag, type Verb, type World } from '../verb.ts'

const formats = ['text', 'json', 'github'] as const satisfies readonly ReportFormat[]

export const check: Verb = {
  summary: 'Reports every problem of a graph, and looks at its data.',
  usage: 'GRAPH',
  loads: 'graphs',
  flags: {
    set: setFlag,
    ...pluginFlags,
    format: {
      value: 'FORMAT',
      choices: formats,
      description: 'text (the default), json: a list of problems, or github: annotations for a workflow.',
    },
  },
  example: 'npx flow check graphs/grpo.json --set group=4',
  run: async (words, world) => {
    const { registry, environment, print, complain } = world
    const file = onlyWord(words, 'graph file')
    const format = formats.find(name => name === words.last('format')) ?? 'text'
    const { plan, problems, warnings } = checkGraph(file, registry, { set: words.all('set'), environment })
    const text = report(problems, warnings, format)
    // programs read standard output
    if (format !== 'text') print(text)
    else if (text !== '') complain(text)
    if (!plan) return 2
    if (format !== 'text') return 0
    const edges = plan.nodes.reduce((sum, node) => sum + node.wires.length, 0)
    const isReadable = await inspectAll(plan, world)
    const size = `${plan.nodes.length} nodes, ${edges} edges, ${plan.resources.length} resources`
    if (isReadable) print(`${file}: ok, ${size}`)
    else complain(`${file}: its data cannot be read (${size})`)
    return isReadable ? 0 : 2
  },
}

/** Prints the findings of operators that look at their data; false when one cannot read it. */
async function inspectAll(plan: Plan, { print, complain }: World): Promise<boolean> {
  let readable = true
  for (const { name, operator, config } of plan.nodes) {
    if (!operator.inspect) continue
    try {
      for (const line of await operator.inspect(config)) print(hide(`${name}: ${line}`, plan.secrets))
    } catch (error) {
      const fault = messageOf(error)
      complain(hide(`${name}: ${fault}`, plan.secrets))
      readable = false
    }
  }
  return readable
}

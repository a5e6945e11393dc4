import type { Fields, Port } from '../operator.ts'
import { endName } from './flatten/flat.ts'
import type { Plan } from './plan.ts'
import { hideIn } from './secrets.ts'

/** What a page says about a node: `nodes.json` of a run holds a list of these. */
export interface NodeFacts {
  name: string
  operator: string
  summary: string
  config: FieldFacts[]
  inputs: PortFacts[]
  outputs: PortFacts[]
}

interface FieldFacts {
  name: string
  value: unknown
  description: string
}

interface PortFacts {
  name: string
  kind: string
  description?: string
  /** Of an input: the outputs that it reads, as node.port. */
  from?: string[]
  /** Of an input: the edges into it start with a value, so that a cycle may run through them. */
  feedback?: boolean
}

/** The nodes of a plan with their config, ports and documentation, without secrets. */
export function nodeFacts({ nodes, secrets }: Plan): NodeFacts[] {
  const facts = nodes.map(({ name, operatorName, operator, config, wires }): NodeFacts => {
    return {
      name,
      operator: operatorName,
      summary: operator.summary,
      config: fieldFacts(operator.config, config),
      inputs: Object.entries(operator.inputs).map(([port, about]) => {
        const into = wires.filter(wire => wire.port === port)
        const feedback = into.some(({ initial }) => initial !== undefined)
        return { ...portFacts(port, about), from: into.map(({ from }) => endName(from)), feedback }
      }),
      outputs: Object.entries(operator.outputs).map(([port, about]) => portFacts(port, about)),
    }
  })
  return hideIn(facts, secrets)
}

const fieldFacts = (fields: Fields, config: Readonly<Record<string, unknown>>): FieldFacts[] =>
  Object.entries(fields).map(([name, { description }]) => ({ name, value: config[name], description }))

function portFacts(name: string, port: Port): PortFacts {
  if (typeof port === 'string') return { name, kind: port }
  const { kind, description } = port
  return { name, kind, ...(description !== undefined && { description }) }
}

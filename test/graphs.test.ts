import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../engine/graph/check.ts'
import { describe } from '../engine/graph/problem.ts'
import { operators, resources } from '../operators/index.ts'
import { repository } from './fixtures.ts'

interface Graph {
  summary: string
  params?: Record<string, { type: string; enum?: string[]; default?: unknown }>
}

const folder = join(repository, 'graphs')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
  name.endsWith('.json'),
)
// Parts have inputs, so they are checked where a graph includes them.
const graphs = files.filter(name => !name.startsWith('parts/'))

for (const file of graphs) {
  t.test(`graphs/${file} has no problem`, t => {
    const path = join(folder, file)
    const graph: Graph = JSON.parse(readFileSync(path, 'utf8'))
    const { problems } = checkGraph(path, { operators, resources }, { set: missing(graph) })
    t.equal(problems.map(describe).join('\n'), '')
    t.match(graph.summary, /^[A-Z].*\.$/, 'its summary is a sentence')
    t.end()
  })
}

t.test('the graph of the README has no problem', t => {
  const text = /```json\n([\s\S]*?)```/.exec(readFileSync(join(repository, 'README.md'), 'utf8'))?.[1] ?? ''
  const { problems } = checkGraph('README.md', { operators, resources }, { read: () => text })
  t.equal(problems.map(describe).join('\n'), '')
  t.end()
})

/** Some value for each param that has no default. */
function missing({ params = {} }: Graph): string[] {
  const open = Object.entries(params).filter(([, { default: value }]) => value === undefined)
  return open.map(([name, param]) => {
    const first = param.enum?.[0]
    return `${name}=${first ?? (param.type === 'string' ? 'somewhere' : 1)}`
  })
}

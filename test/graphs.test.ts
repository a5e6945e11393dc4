import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../engine/graph/check.ts'
import { describe } from '../engine/graph/problem.ts'
import { operators, resources } from '../operators/index.ts'
import { repository } from './fixtures.ts'
import { graphsFolder, readGraph, runnable, settingsFor } from './graphs/graph-files.ts'

for (const name of runnable) {
  t.test(`graphs/${name} has no problem`, t => {
    const graph = readGraph(name)
    const file = join(graphsFolder, name)
    const { problems } = checkGraph(file, { operators, resources }, { set: settingsFor(graph) })
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

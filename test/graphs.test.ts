import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { checkGraph } from '../engine/graph/check.ts'
import { describe } from '../engine/graph/problem.ts'
import { operators, resources } from '../operators/index.ts'
import { repository } from './fixtures.ts'

/** Values of params that have no default. */
const settings: Readonly<Record<string, readonly string[]>> = { 'demo/shapes.json': ['out=somewhere'] }

const folder = join(repository, 'graphs')
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
  name.endsWith('.json'),
)

for (const file of files) {
  t.test(`graphs/${file} has no problem`, t => {
    const path = join(folder, file)
    const { problems } = checkGraph(path, { operators, resources }, { set: settings[file] ?? [] })
    t.equal(problems.map(describe).join('\n'), '')
    t.match(JSON.parse(readFileSync(path, 'utf8')).summary, /^[A-Z].*\.$/, 'its summary is a sentence')
    t.end()
  })
}

t.test('the graph of the README has no problem', t => {
  const text = /```json\n([\s\S]*?)```/.exec(readFileSync(join(repository, 'README.md'), 'utf8'))?.[1] ?? ''
  const { problems } = checkGraph('README.md', { operators, resources }, { read: () => text })
  t.equal(problems.map(describe).join('\n'), '')
  t.end()
})

import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { checkGraph } from '../../../engine/graph/check.ts'
import { report } from '../../../engine/graph/problem-report.ts'
import { fixture } from '../../fixtures.ts'
import { problemsOf } from '../support.ts'
import { edgeCases } from './broken/edge-cases.ts'
import { registry } from './broken/registry.ts'
import { textCases } from './broken/text-cases.ts'
import { valueCases } from './broken/value-cases.ts'

const cases = [...textCases, ...valueCases, ...edgeCases]

for (const { name, text, problems, set, environment } of cases) {
  t.test(`${name} is reported`, async t => {
    const found = problemsOf(text, registry, { set: set ?? [], environment: environment ?? {} })
    if (problems[0]?.startsWith('^'))
      t.match(
        found,
        problems.map(source => new RegExp(source)),
      )
    else t.same(found, problems)
  })
}

t.test('what people read about each of them is as it was', async t => {
  const file = fixture('broken-graphs.txt')
  const texts = cases.map(({ name, text, set = [], environment = {} }) => {
    const read = (path: string) => (path === 'g.json' ? text : readFileSync(path, 'utf8'))
    const { problems, warnings } = checkGraph('g.json', registry, { set, environment, read })
    return `# ${name}\n${report(problems, warnings)}\n`
  })
  t.ok(cases.length >= 40, `${cases.length} broken graphs`)
  if (process.env.UPDATE_GOLDEN) writeFileSync(file, texts.join('\n'))
  t.equal(texts.join('\n'), readFileSync(file, 'utf8'), 'else look at UPDATE_GOLDEN=1 and its diff')
})

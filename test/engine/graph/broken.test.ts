import { readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { checkGraph } from '../../../engine/graph/check.ts'
import { describe, type Place } from '../../../engine/graph/problem.ts'
import { remedyOf, report } from '../../../engine/graph/problem-report.ts'
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

/** The text with what a remedy says to write, in place of the string, number or word that stands at the place. */
function mended(text: string, place: Place, remedy: string): string | undefined {
  const [, written] = /^write ("[^"]+"|-?[\d.]+|null|true|false)(?=$| or | without)/.exec(remedy) ?? []
  if (written === undefined) return undefined
  const lines = text.split('\n')
  const line = lines[place.line - 1] ?? ''
  const [found = ''] = /^("(?:[^"\\]|\\.)*"|[\w.+-]+)/.exec(line.slice(place.column - 1)) ?? []
  lines[place.line - 1] =
    line.slice(0, place.column - 1) + written + line.slice(place.column - 1 + found.length)
  return lines.join('\n')
}

t.test('a remedy that says what to write mends its problem', async t => {
  let tried = 0
  for (const { name, text, set = [], environment = {} } of cases) {
    const problemsIn = (changed: string) => {
      const read = (path: string) => (path === 'g.json' ? changed : readFileSync(path, 'utf8'))
      return checkGraph('g.json', registry, { set, environment, read }).problems
    }
    for (const problem of problemsIn(text)) {
      const remedy = remedyOf(problem)
      const changed = problem.place && mended(text, problem.place, remedy)
      if (changed === undefined) continue
      tried++
      const told = describe(problem)
      t.notOk(
        problemsIn(changed).some(other => describe(other) === told),
        `${name}: ${told}: ${remedy}`,
      )
      if (problem.code !== 'syntax')
        t.notOk(
          problemsIn(changed).some(({ code }) => code === 'syntax'),
          `${name}: ${remedy} is JSON`,
        )
    }
  }
  t.ok(tried >= 20, `${tried} remedies`)
})

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

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { strayFault } from '../../../engine/cli/stray-fault.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { graphText, testBed } from '../support.ts'

t.test('an error that a timer of a plugin threw names its node and its line', async t => {
  const path = join(t.testdir({}), 'late.mjs')
  writeFileSync(path, 'export const late = () => { throw new Error("too late") }')
  const url = pathToFileURL(path).href
  const { late }: { late: () => void } = await import(url)
  const quiet = operator({
    summary: 'Takes.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    run: ({ items }) => ({ items }),
  })
  const { registry } = testBed({ operators: { quiet } })
  const text = graphText({
    count: { operator: 'range', config: { count: 1 } },
    mine: { operator: 'quiet', from: { items: 'count.numbers' } },
  })
  const plan = loadGraph('g.json', registry, { read: () => text })
  let thrown: unknown
  try {
    late()
  } catch (error) {
    thrown = error
  }
  const { code, message } = strayFault(thrown, plan, { ...registry, modules: { quiet: url } })
  t.equal(code, 'operator-failed')
  t.match(
    message,
    /^node "mine" \(quiet\): an error outside its streams, at .*late.mjs:1:\d+: too late: an operator must/,
  )
  t.match(strayFault('text', plan, registry).message, /^an error outside its streams: text/)
})

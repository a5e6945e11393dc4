// Items of any kind are checked where they reach an input whose kind has a schema.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { registry as shipped } from '../../../engine/cli/registry.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { withPlugins } from '../../../engine/graph/plugins.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'

const seen: unknown[] = []
const sink = operator({
  summary: 'Keeps questions.',
  config: {},
  inputs: { samples: 'sample' },
  outputs: {},
  effects: true,
  run: ({ samples }, _, context) => ({
    none: samples.pipe(
      context.each((value: unknown) => {
        seen.push(value)
        return undefined
      }),
    ),
  }),
})

/** Runs rows into the sink; `onError` is the sink's. */
async function run(folder: string, rows: readonly string[], onError: unknown = 'stop', more = shipped) {
  seen.length = 0
  const path = join(folder, 'rows.jsonl')
  writeFileSync(path, `${rows.join('\n')}\n`)
  const graph = {
    version: 1,
    summary: 'Keeps.',
    nodes: {
      rows: { operator: 'read.jsonl', config: { path } },
      few: { operator: 'stream.take', config: { count: 9 }, from: { items: 'rows.items' } },
      sink: { operator: 'sink', onError, from: { samples: 'few.items' } },
    },
  }
  const registry = { ...more, operators: { ...more.operators, sink: more.operators.sink ?? sink } }
  const plan = loadGraph('g.json', registry, { read: () => JSON.stringify(graph) })
  const directory = join(folder, 'run')
  return { ...(await startRun(plan, { seed: 0, directory }).done), directory }
}

const good = '{"video": "a.mp4", "question": "What?"}'

t.test('a row of the kind passes, with the defaults of its schema', async t => {
  const { status } = await run(t.testdir({}), [good])
  t.equal(status, 'completed')
  t.same(seen, [{ video: 'a.mp4', question: 'What?', fields: {} }])
})

t.test('a row that is not of the kind ends the run with file, line and field', async t => {
  const folder = t.testdir({})
  const { status, error, leaked } = await run(folder, [good, '{"video": "a.mp4", "questoin": "What?"}'])
  t.equal(status, 'failed')
  t.equal(leaked, 0)
  t.match(error?.message, `item "1:2" (${join(folder, 'rows.jsonl')}:2), seed `)
  t.match(error?.message, 'must be of kind "sample": must have "question"')
  t.same(seen.length, 1, 'it never reached the operator')
})

t.test('a value of another type is told with its path', async t => {
  const { error } = await run(t.testdir({}), ['{"video": 3, "question": "What?"}'])
  t.match(
    error?.message,
    /rows\.jsonl:1\), seed \d+: must be of kind "sample": video: must be a string, found 3/,
  )
})

t.test('a node that skips goes on, and the dead letter says why', async t => {
  const { status, skipped, directory } = await run(t.testdir({}), ['{"title": "x"}', good], 'skip')
  t.match({ status, skipped }, { status: 'completed', skipped: 1 })
  t.equal(seen.length, 1)
  t.match(
    readFileSync(join(directory, 'dead-letters.jsonl'), 'utf8'),
    /"place":".*rows\.jsonl:1",.*"error":"must be of kind/,
  )
})

t.test('an item that is no group is told with what it lacks and where it came from', async t => {
  const taken = { ...sink, inputs: { samples: 'group' } }
  const more = { ...shipped, operators: { ...shipped.operators, sink: taken } }
  const { error } = await run(t.testdir({}), ['{"completions": [{"text": "A"}]}'], 'stop', more)
  t.match(error?.message, 'must be of kind "group": must have "prompt"')
  t.match(error?.message, 'completions.0: must have "ids"')
  t.match(error?.message, '; it came from "few"')
})

const plugin = (kinds: string) => `
export const api = 1
export const kinds = ${kinds}
export const operators = {
  sink: { summary: 'Keeps.', config: {}, inputs: { samples: 'my.caption' }, outputs: {}, effects: true,
    run: ({ samples }, _, context) => ({ none: samples.pipe(context.each(() => undefined)) }) },
}`
const named = (folder: string) => [{ name: './plugin.mjs', folder, problem: { path: 'plugins.0' } }]

t.test('a plugin adds the schema of a kind of its own', async t => {
  const kinds =
    "{ 'my.caption': { type: 'object', required: ['text'], properties: { text: { type: 'string' } } } }"
  const folder = t.testdir({ 'plugin.mjs': plugin(kinds) })
  const more = await withPlugins(shipped, named(folder))
  t.notOk(more.problems)
  const { error } = await run(folder, ['{"text": 3}'], 'stop', more)
  t.match(
    error?.message,
    /rows\.jsonl:1\), seed \d+: must be of kind "my\.caption": text: must be a string, found 3/,
  )
})

for (const [kinds, rule] of [
  ["{ sample: { type: 'object' } }", /must not name a kind that has a schema already/],
  ["{ 'my.caption': { type: 'text' } }", /kind "my\.caption" must be a JSON Schema/],
  ["{ 'my.caption': 3 }", /kind "my\.caption" must be a JSON Schema/],
] as const)
  t.test(`a plugin with the kinds ${kinds} is refused`, async t => {
    const folder = t.testdir({ 'plugin.mjs': plugin(kinds) })
    const { problems = [] } = await withPlugins(shipped, named(folder))
    t.match(problems[0]?.rule, rule)
  })

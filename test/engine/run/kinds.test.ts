// Items of any kind are checked where they reach an input whose kind has a schema, those of plugins where they are made.
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
  t.match(error?.message, 'must have "question", found "questoin" (nearest "question")')
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

/** A reader of samples, and operators that change those or pass them on. */
const makers = (value: string) => `
export const api = 1
const each = work => ({ samples }, _, context) => ({ samples: samples.pipe(context.each(work)) })
const maker = (rest, run) => ({ summary: 'Makes.', config: {}, inputs: { samples: 'sample' }, outputs: { samples: 'sample' }, ...rest, run })
export const operators = {
  'my.rows': maker({ inputs: {} }, (_, config, context) => ({
    samples: context.source(async function* () { for (const key of ['1:1', '1:2']) yield { key, value: ${value} } }),
  })),
  'my.short': maker({}, each(({ question, ...rest }) => rest)),
  'my.same': maker({ outputs: { samples: { kind: 'any', like: 'samples' } } }, each(({ video }) => ({ clip: video }))),
}`

/** Runs nodes of a plugin into a sink that skips what it cannot work on; returns how that ended. */
async function runMakers(folder: string, value: string, between?: string) {
  seen.length = 0
  writeFileSync(join(folder, 'plugin.mjs'), makers(value))
  const more = await withPlugins(shipped, named(folder))
  const from = { samples: 'rows.samples' }
  const nodes = {
    rows: { operator: 'my.rows', onError: 'skip' },
    ...(between !== undefined && { changed: { operator: between, onError: 'skip', from } }),
    sink: {
      operator: 'sink',
      onError: 'skip',
      from: between === undefined ? from : { samples: 'changed.samples' },
    },
  }
  const graph = { version: 1, summary: 'Keeps.', nodes }
  const registry = { ...more, operators: { ...more.operators, sink } }
  const plan = loadGraph('g.json', registry, { read: () => JSON.stringify(graph) })
  return startRun(plan, { seed: 0, directory: join(folder, 'run') }).done
}

t.test('a sample of a plugin passes, with the defaults of its schema', async t => {
  const { status } = await runMakers(t.testdir({}), "{ video: 'a.mp4', question: 'What?' }")
  t.equal(status, 'completed')
  t.match(seen, [{ fields: {} }, { fields: {} }])
})

t.test('a misspelt field of a reader ends the run, and the error names the reader', async t => {
  const folder = t.testdir({})
  const made = await runMakers(folder, "{ vidoe: 'a.mp4', question: 'What?' }")
  t.match(made, { status: 'failed', skipped: 0, leaked: 0 })
  t.match(made.error, { code: 'operator-misused', node: 'rows', key: '1:1' })
  t.match(
    made.error?.message,
    /^node "rows" \(my\.rows\), item "1:1", seed \d+: what it emits on "samples" must be of kind "sample": must have "video", found "vidoe" \(nearest "video"\): mend the operator, in .*plugin\.mjs$/,
  )
  t.same(seen, [])
})

t.test('an item of a reader without a value is no sample', async t => {
  const { error } = await runMakers(t.testdir({}), 'undefined')
  t.match(
    error?.message,
    'what it emits on "samples" must be of kind "sample": must be an object, found undefined',
  )
})

for (const [operator, lacks] of [
  ['my.short', 'must have "question" (The question'],
  ['my.same', 'must have "video" (Path of the clip.); must have "question"'],
] as const)
  t.test(`${operator} of a plugin, which drops a field of its samples, ends the run`, async t => {
    const made = await runMakers(t.testdir({}), "{ video: 'a.mp4', question: 'What?' }", operator)
    t.match(made, { status: 'failed', skipped: 0, leaked: 0, error: { node: 'changed', key: '1:1' } })
    t.match(made.error?.message, `what it emits on "samples" must be of kind "sample": ${lacks}`)
    t.same(seen, [])
  })

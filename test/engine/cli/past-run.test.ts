import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { command } from '../../../engine/cli/command.ts'
import { operator } from '../../../engine/operator.ts'
import { operators, resources as ours } from '../../../operators/index.ts'
import take from '../../../operators/stream/take.ts'
import writeLines from '../../../operators/write/jsonl.ts'
import { fixture, repository } from '../../fixtures.ts'
import { testBed } from '../support.ts'

/** Interrupts the process, as a terminal does, when it meets a number; a broken one records something else. */
const bell = (at: number, broken: boolean) =>
  operator({
    summary: 'Rings once.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, _config, context) => ({
      numbers: numbers.pipe(
        context.each((value: number, { key, seed }) => {
          if (value === at) process.emit('SIGINT')
          context.record('metrics', { step: value + 1, key, seed: broken ? 0 : seed, seconds: Math.random() })
          return value
        }),
      ),
    }),
  })

async function call(words: readonly string[], { at = -1, broken = false } = {}) {
  const operators = { bell: bell(at, broken), 'stream.take': take, 'write.jsonl': writeLines }
  let text = ''
  const say = (line: string) => {
    text += `${line}\n`
  }
  const code = await command(words, {
    registry: testBed({ operators }).registry,
    environment: {},
    screen: { write: () => {} },
    print: say,
    prepare: async () => {},
    complain: say,
  })
  return { code, text }
}

/** Nine numbers, of which seven are written. */
function graphIn(t: Test, rest: object = { checkpoint: { every: 2 } }) {
  const folder = t.testdir()
  const [file, lines, run] = ['g.json', 'lines.jsonl', 'run'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ] // three of three
  const graph = {
    version: 1,
    summary: 'Counts.',
    nodes: {
      rows: { operator: 'range', config: { count: 9 } },
      bell: { operator: 'bell', from: { numbers: 'rows.numbers' } },
      first: { operator: 'stream.take', config: { count: 7 }, from: { items: 'bell.numbers' } },
      out: { operator: 'write.jsonl', config: { path: lines }, from: { items: 'first.items' } },
    },
    ...rest,
  }
  writeFileSync(file, JSON.stringify(graph))
  return { file, lines, run, graph }
}

t.test('an interrupted run exits 130, and goes on to what it would have written', async t => {
  const { file, lines, run } = graphIn(t)
  const first = await call(['run', file, '--out', run], { at: 3 })
  t.match(first, { code: 130, text: /stopping: .*\n.*: stopped/s })
  const written = readFileSync(lines, 'utf8').trim().split('\n').length
  t.ok(written >= 4 && written < 7, `${written} lines were written before it stopped`)
  t.match(await call(['run', '--resume', run]), { code: 0, text: /: completed/ })
  t.equal(readFileSync(lines, 'utf8'), '0\n1\n2\n3\n4\n5\n6\n')
  const steps = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n')
  t.strictSame(
    steps.slice(0, 7).map(line => JSON.parse(line).step),
    [1, 2, 3, 4, 5, 6, 7],
  )
  const manifest = JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8'))
  t.match(manifest, { status: 'completed', resumed: [{ checkpoint: /^00000[4-6]$/ }] })
  t.match(await call(['run', '--resume', run]), { code: 0, text: /already completed, nothing to do/ })
})

t.test('the second interrupt frees everything and leaves', async t => {
  const { file, run } = graphIn(t)
  const ring = operator({
    summary: 'Rings twice.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }, _config, context) => ({
      numbers: numbers.pipe(
        context.each(async (value: number) => {
          process.emit('SIGINT')
          process.emit('SIGINT')
          return value
        }),
      ),
    }),
  })
  let text = ''
  const code = await command(['run', file, '--out', run], {
    registry: testBed({ operators: { bell: ring, 'stream.take': take, 'write.jsonl': writeLines } }).registry,
    environment: {},
    screen: { write: () => {} },
    print: line => (text += line),
    prepare: async () => {},
    complain: () => {},
  })
  t.equal(code, 130)
  t.match(text, /: aborted, (?!.*not freed)/)
  t.match(await call(['run', '--resume', run]), { code: 0 }, 'it goes on from the start')
})

t.test('a run that cannot go on says why and exits 2', async t => {
  const { file, run, graph } = graphIn(t)
  await call(['run', file, '--out', run], { at: 3 })
  const again = ['run', '--resume', run]
  t.match(await call([...again, '--seed', '3']), { code: 2, text: /must be given without GRAPH/ })
  t.match(await call(['run', '--resume', 'no-such']), { code: 2, text: /must be a run directory/ })
  writeFileSync(file, JSON.stringify({ ...graph, checkpoint: { every: 3 } }))
  t.match(await call(again), { code: 2, text: /must be as it was when .* checkpoint\.every was 2, is 3/ })
  const other = graphIn(t, {})
  await call(['run', other.file, '--out', other.run], { at: 3 })
  t.match(await call(['run', '--resume', other.run]), {
    code: 2,
    text: /start with --set checkpoint\.every=N/,
  })
})

t.test('a cadence may be set from outside', async t => {
  const { file, run } = graphIn(t, {})
  t.match(await call(['run', file, '--out', run, '--set', 'checkpoint.every=4']), { code: 0 })
  t.ok(existsSync(join(run, 'checkpoints')))
})

t.test('one item is repeated from the checkpoint before it and compared, timings aside', async t => {
  const { file, run, lines } = graphIn(t, { checkpoint: { every: 2, keep: 1 } })
  await call(['run', file, '--out', run], { at: 3 })
  const written = readFileSync(lines, 'utf8')
  t.match(await call(['replay', run, '--item', '1']), {
    code: 0,
    text: /repeating "1" from the start of the run\nmetrics step 2: equal\n1 records: equal/,
  })
  t.equal(readFileSync(lines, 'utf8'), written, 'what the graph writes elsewhere is left alone')
  t.match(await call(['replay', run, '--item', '1'], { broken: true }), {
    code: 1,
    text: /metrics step 2: seed was \d+, is 0\n1 of 1 records differ/,
  })
  t.match(await call(['replay', run, '--item', '77']), {
    code: 2,
    text: /must be the key of an item.*e\.g\., 0, 1/,
  })
})

t.test('an item after a checkpoint is repeated from the checkpoint', async t => {
  const { file, run } = graphIn(t, { checkpoint: { every: 2, keep: 9 } })
  await call(['run', file, '--out', run])
  t.match(await call(['replay', run, '--item', '5']), { code: 0, text: /repeating "5" from 000004\n/ })
})

t.test('diff tells of memory: weights, moments, caches, activations, edges and the sum', async t => {
  const text = readFileSync(join(repository, 'graphs/grpo.json'), 'utf8')
  const file = join(t.testdir(), 'grpo.json')
  writeFileSync(file, text.replace('"schemas', '"x').replaceAll('builtin:cold-start', fixture('tiny-bf16')))
  const larger = `${file}.larger.json`
  const { resources, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
  const more = structuredClone(rest.params)
  for (const [name, value] of Object.entries({ group: 16, maxNewTokens: 96, frames: 4 }))
    more[name].default = value
  const policy = structuredClone(resources)
  policy.policy.config.train = ['connector']
  writeFileSync(larger, JSON.stringify({ ...rest, params: more, resources: policy }))
  let out = ''
  const say = (line: string) => (out += `${line}\n`)
  const world = {
    environment: {},
    screen: { write: () => {} },
    print: say,
    complain: say,
    prepare: async () => {},
  }
  const code = await command(['diff', file, larger], { ...world, registry: { operators, resources: ours } })
  t.equal(code, 0, out)
  for (const line of [
    /^~ resource policy: memory\.weights; products in float16 on .* was ".*B", is ".*B"$/m,
    /^~ resource policy: memory\.gradients was ".*B", is ".*B"$/m,
    /^~ resource optimizer: memory\.first and second moments was /m,
    /^~ node groups: memory\.KV cache was /m,
    /^~ node update: memory\.activations, with 256 tokens of text was /m,
    /^~ edge frames\.frames → prompts\.frames: memory was /m,
    /^~ memory: gpu was /m,
  ])
    t.match(out, line)
})

t.test('diff says what differs between two graphs', async t => {
  const { file, graph } = graphIn(t)
  const other = `${file}.other.json`
  const { bell: _, ...rest } = graph.nodes
  const nodes = {
    ...rest,
    first: { operator: 'stream.take', config: { count: 5 }, from: { items: 'rows.numbers' } },
  }
  writeFileSync(other, JSON.stringify({ ...graph, nodes, checkpoint: { every: 3 } }))
  const { code, text } = await call(['diff', file, other])
  t.equal(code, 0)
  t.match(text, /^- node bell \(bell\)$/m)
  t.match(text, /^~ node first: config\.count was 7, is 5$/m)
  t.match(text, /^~ node first: from\.items ← rows\.numbers was nothing, is /m)
  t.match(text, /^~ checkpoint: config\.every was 2, is 3$/m)
  t.match(await call(['diff', file, file]), { code: 0, text: /^no difference$/m })
  t.match(await call(['diff', file]), { code: 2, text: /must name two graph files/ })
})

t.test(
  'a run of a graph that extends another goes on, even when the files are gone, but not when they differ',
  async t => {
    const { file, run, lines } = graphIn(t)
    const derived = file.replace('g.json', 'derived.json')
    writeFileSync(derived, '{ "extends": "g.json", "nodes": { "first": { "config": { "count": 8 } } } }')
    await call(['run', derived, '--out', run], { at: 3 })
    const before = readFileSync(file, 'utf8')
    t.match(JSON.parse(readFileSync(join(run, 'manifest.json'), 'utf8')), {
      resolved: { summary: 'Counts.', nodes: { first: { operator: 'stream.take', config: { count: 8 } } } },
    })
    writeFileSync(file, before.replace('"count":9', '"count":10'))
    t.match(await call(['run', '--resume', run]), {
      code: 2,
      text: /must be as it was when .* nodes\.rows\.config\.count was 9, is 10/,
    })
    rmSync(file)
    rmSync(derived)
    t.match(await call(['run', '--resume', run]), { code: 0, text: /: completed/ })
    t.equal(readFileSync(lines, 'utf8'), '0\n1\n2\n3\n4\n5\n6\n7\n')
  },
)

t.test('diff, check and graph --resolved take a graph that extends another', async t => {
  const { file } = graphIn(t)
  const derived = file.replace('g.json', 'derived.json')
  writeFileSync(derived, '{ "extends": "g.json", "nodes": { "first": { "config": { "count": 8 } } } }')
  t.match(await call(['diff', file, derived]), { text: /^~ node first: config\.count was 7, is 8\n$/ })
  t.match(await call(['check', derived]), { code: 0, text: /derived\.json: ok, 4 nodes/ })
  t.match(await call(['explain', derived]), { code: 0, text: /^Counts\.\nparams: none\nedges/ })
  const { text } = await call(['graph', '--resolved', derived, '--set', 'nodes.rows.config.count=5'])
  t.match(JSON.parse(text), { nodes: { rows: { config: { count: 5 } }, first: { config: { count: 8 } } } })
})

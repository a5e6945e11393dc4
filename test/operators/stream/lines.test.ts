import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { notInJson } from '../../../engine/shared/json.ts'
import readJsonl from '../../../operators/read/jsonl.ts'
import batch from '../../../operators/stream/batch.ts'
import take from '../../../operators/stream/take.ts'
import writeJsonl from '../../../operators/write/jsonl.ts'

const registry = {
  operators: {
    'read.jsonl': readJsonl,
    'stream.batch': batch,
    'stream.take': take,
    'write.jsonl': writeJsonl,
  },
  resources: {},
}

/** Reads lines, passes them through the nodes between, and returns what was written and how the run ended. */
async function through(
  t: Test,
  text: string,
  config: object,
  between: Record<string, object> = {},
  seed = 0,
) {
  const folder = t.testdir({ 'in.jsonl': text })
  const out = join(folder, 'deep/out.jsonl')
  const names = Object.keys(between)
  const nodes = {
    rows: { operator: 'read.jsonl', config: { path: join(folder, 'in.jsonl'), ...config } },
    ...between,
    out: {
      operator: 'write.jsonl',
      config: { path: out },
      from: { items: names.length > 0 ? `${names.at(-1)}.${ports[names.length - 1]}` : 'rows.items' },
    },
  }
  const plan = loadGraph('g.json', registry, {
    read: () => JSON.stringify({ version: 1, summary: 'Lines.', nodes }),
  })
  const summary = await startRun(plan, { seed, directory: join(folder, 'run') }).done
  t.equal(summary.leaked, 0)
  const lines: unknown[] = readFileSync(out, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
  return { summary, lines }
}

const ports = ['items', 'lists']
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}\n`).join('')
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

t.test(
  'lines are read and written in order; empty ones, CRLF and a missing last newline are fine',
  async t => {
    t.same((await through(t, '{"a":1}\r\n\n2\n"three"', {})).lines, [{ a: 1 }, 2, 'three'])
  },
)

t.test('limit counts the items of all passes together, as in every reader', async t => {
  t.same((await through(t, numbers(5), { limit: 2, epochs: 3 })).lines, [0, 1])
  t.same((await through(t, numbers(2), { limit: 5, epochs: 3 })).lines, [0, 1, 0, 1, 0])
  t.same((await through(t, numbers(2), { limit: 3, epochs: 0 })).lines, [0, 1, 0])
  t.same((await through(t, numbers(2), { limit: 9 })).lines, [0, 1])
})

t.test('a shuffle holds every line once, is decided by the seed, and differs by epoch', async t => {
  const one = (await through(t, numbers(50), { shuffle: true, epochs: 2 }, {}, 1)).lines
  const [first, second] = [one.slice(0, 50), one.slice(50)]
  for (const epoch of [first, second])
    t.same(
      [...epoch].sort((a, b) => Number(a) - Number(b)),
      upTo(50),
    )
  t.notSame(first, second)
  t.notSame(first, upTo(50))
  t.same((await through(t, numbers(50), { shuffle: true, epochs: 2 }, {}, 1)).lines, one)
  t.notSame((await through(t, numbers(50), { shuffle: true, epochs: 2 }, {}, 2)).lines, one)
})

t.test('a line that is not JSON, an empty file and a missing one end the run with the place', async t => {
  const bad = await through(t, '1\n{"a":\n3\n', {})
  t.match(bad.summary.error?.message, /in\.jsonl:2: must be one JSON value a line/)
  const empty = await through(t, '\n', { epochs: 0 })
  t.match(empty.summary.error?.message, /in\.jsonl: must hold at least one line of JSON/)
  const missing = await through(t, '', { path: 'no-such.jsonl' })
  t.match(
    missing.summary.error?.message,
    /node "rows" \(read\.jsonl\): no-such\.jsonl: cannot be read: no such file or folder \(ENOENT\)/,
  )
})

t.test('take ends a source that has no end', async t => {
  for (const count of [1, 7]) {
    const between = { some: { operator: 'stream.take', config: { count }, from: { items: 'rows.items' } } }
    const { lines, summary } = await through(t, numbers(3), { epochs: 0 }, between)
    t.equal(summary.status, 'completed')
    t.equal(lines.length, count)
  }
})

t.test('batches are full but for the last, whatever their size', async t => {
  for (const [size, expected] of [
    [1, 5],
    [2, 3],
    [5, 1],
    [6, 1],
  ] as const) {
    const between = {
      some: { operator: 'stream.take', config: { count: 5 }, from: { items: 'rows.items' } },
      lists: { operator: 'stream.batch', config: { size }, from: { items: 'some.items' } },
    }
    const { lines, summary } = await through(t, numbers(9), {}, between)
    t.equal(lines.length, expected)
    t.same(lines.flat(), upTo(5))
    t.equal(summary.status, 'completed')
  }
})

t.test(
  'a number that JSON has not is an error that says where it is; with onError it is skipped',
  async t => {
    const yields = operator({
      summary: 'Yields what JSON would lose.',
      config: {},
      inputs: { items: 'any' },
      outputs: { items: 'any' },
      run: ({ items }, _, context) => ({
        items: items.pipe(context.each((n: number) => ({ scores: [1, { mean: n === 2 ? Number.NaN : n }] }))),
      }),
    })
    const folder = t.testdir({ 'in.jsonl': '1\n2\n3\n' })
    const run = (onError: string, path: string) => {
      const nodes = {
        rows: { operator: 'read.jsonl', config: { path: join(folder, 'in.jsonl') } },
        odd: { operator: 'odd', from: { items: 'rows.items' } },
        out: { operator: 'write.jsonl', onError, config: { path }, from: { items: 'odd.items' } },
      }
      const text = JSON.stringify({ version: 1, summary: 'Writes.', nodes })
      const all = { ...registry, operators: { ...registry.operators, odd: yields } }
      const plan = loadGraph('g.json', all, { read: () => text })
      return startRun(plan, { seed: 0, directory: `${path}-run` }).done
    }
    const [stopped, skipped] = [join(folder, 'stopped.jsonl'), join(folder, 'skipped.jsonl')]
    const { error } = await run('stop', stopped)
    t.match(
      error?.message,
      /node "out" \(write\.jsonl\), item "1:2" \(\S+:2\), seed \d+: \S*stopped\.jsonl: scores\[1\]\.mean of item 1:2 must be something that JSON can hold, found NaN: let the node before/,
    )
    t.match(await run('skip', skipped), { status: 'completed', skipped: 1 })
    t.equal(readFileSync(skipped, 'utf8'), '{"scores":[1,{"mean":1}]}\n{"scores":[1,{"mean":3}]}\n')
  },
)

t.test('what JSON would lose is found, and what it keeps is not', t => {
  const cases: [unknown, unknown][] = [
    [Number.POSITIVE_INFINITY, { path: '', found: 'Infinity' }],
    [{ a: [0, Number.NaN] }, { path: 'a[1]', found: 'NaN' }],
    [{ a: new Float32Array(2) }, { path: 'a', found: 'a Float32Array' }],
    [{ a: new Map() }, { path: 'a', found: 'a Map' }],
    [{ a: 1n }, { path: 'a', found: 'a bigint' }],
    [[undefined], { path: '[0]', found: 'undefined' }],
    [undefined, { path: '', found: 'undefined' }],
    [{ a: undefined, b: -0, c: [null, 'x', true], d: new Date(0) }, undefined],
  ]
  for (const [value, found] of cases) t.strictSame(notInJson(value), found)
  t.end()
})

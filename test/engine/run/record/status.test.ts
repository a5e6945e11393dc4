import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readStatus } from '../../../../engine/cli/live-run.ts'
import { describeStatus } from '../../../../engine/cli/verbs/top.ts'
import { operator } from '../../../../engine/operator.ts'
import { askTap, stopTap } from '../../../../engine/run/record/tap.ts'
import { summaryOf } from '../../../../engine/run/record/value-summary.ts'
import { start, testBed, turn } from '../../support.ts'

t.test('a run tells how it gets on, shows items to who asks, and writes its end', async t => {
  const directory = t.testdir()
  const answers = askTap(directory, 'end.items')
  let enough = false
  const endless = operator({
    summary: 'Counts until told to end.',
    config: {},
    inputs: {},
    outputs: { numbers: 'number' },
    run: (_, __, context) => ({
      numbers: context.source(async function* () {
        context.gauge('gpu bytes', () => 2048)
        for (let value = 0; !enough; value++) {
          await turn()
          yield { key: String(value), value: { shape: [value, 3], type: 'f32' } }
        }
      }),
    }),
  })
  const slow = operator({
    summary: 'Takes its time.',
    config: {},
    inputs: { items: 'any' },
    outputs: { items: 'any' },
    run: ({ items }, _, context) => ({
      items: items.pipe(
        context.each(async (value: unknown) => {
          context.record('metrics', { reward: 1, text: 'no number' })
          for (let i = 0; i < 20; i++) await turn()
          return value
        }),
      ),
    }),
  })
  const on = testBed({ operators: { endless, slow } })
  const nodes = {
    count: { operator: 'endless' },
    slow: { operator: 'slow', from: { items: 'count.numbers' } },
    end: { operator: 'collect', from: { items: 'slow.items' } },
  }
  const run = start(t, nodes, on, { directory })
  while (!existsSync(answers)) await turn()
  t.notOk(readStatus(directory).ended)
  enough = true
  const { status } = await run.done
  t.equal(status, 'completed')
  t.match(JSON.parse(readFileSync(answers, 'utf8').split('\n')[0]), { key: String, value: /^f32\[\d+, 3\]$/ })
  stopTap(directory, 'end.items')
  t.notOk(existsSync(answers))
  const last = readStatus(directory)
  t.ok(last.ended)
  t.match(last, { gauges: { 'gpu bytes': 2048 }, metrics: { reward: 1 }, live: { items: 0, bytes: 0 } })
  const [count, slower] = last.nodes
  t.equal(count.items, on.seen.length)
  t.ok(slower.workSeconds > 0)
  t.ok(slower.working > count.working, 'the slow one works most')
  t.equal(count.blockedBy, 'slow')
  t.match(describeStatus(last, false), /^ended .*reward 1\n0 items alive .*gpu bytes 2\.05 kB/)
  t.ok(readdirSync(directory).some(name => name.startsWith('events.out.tfevents')))
  t.ok(existsSync(join(directory, 'report.html')))
})

t.test('a run whose page cannot be written fails, and its manifest does not call it completed', async t => {
  const directory = t.testdir({ 'report.html': { inside: 'keeps the folder from being replaced' } })
  const records = operator({
    summary: 'Records a number.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: {},
    effects: true,
    run: ({ numbers }, _, context) => ({
      none: numbers.pipe(context.each((reward: number) => void context.record('metrics', { reward }))),
    }),
  })
  const nodes = {
    count: { operator: 'range', config: { count: 3 } },
    records: { operator: 'records', from: { numbers: 'count.numbers' } },
  }
  const { status } = await start(t, nodes, testBed({ operators: { records } }), { directory }).done
  const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'))
  t.equal(status, 'failed')
  t.match(manifest, { status: 'failed', error: { code: String, message: /report\.html/ } })
})

t.test('a value is summarised: arrays by statistics, lists and texts by their beginning', async t => {
  const numbers = new Float32Array([1, Number.NaN, 3, -10, Number.NaN])
  t.same(await summaryOf({ a: numbers, b: [1, 2, 3, 4, 5], c: 'x'.repeat(300), d: null }), {
    a: { tensor: 'Float32Array(5)', min: -10, mean: -2, max: 3, nan: 2 },
    b: [1, 2, 3, 4, '… (5)'],
    c: `${'x'.repeat(200)}… (300)`,
    d: null,
  })
})

t.test('arrays of one kind of element, of none and without limits are told from numbers', async t => {
  t.same(await summaryOf(new Uint8Array(0)), { tensor: 'Uint8Array(0)' })
  const nothing = { min: 'none', mean: 'none', max: 'none', nan: 1 }
  t.same(await summaryOf(new Float32Array([Number.NaN])), { tensor: 'Float32Array(1)', ...nothing })
  const endless = new Float64Array([Number.NEGATIVE_INFINITY, 2])
  t.match(await summaryOf(endless), { min: '-Infinity', mean: '-Infinity', max: 2, nan: 0 })
  t.same(await summaryOf(new DataView(new ArrayBuffer(3))), { tensor: 'DataView(3)' })
})

t.test('a tensor elsewhere is read by whom knows it, and otherwise shown by its shape', async t => {
  const known = { type: 'f32', shape: [1, 2], storage: {} }
  const read = (value: unknown) => (value === known ? Promise.resolve([4, 8]) : undefined)
  t.same(await summaryOf({ known, other: { type: 'f16', shape: [3] } }, [() => undefined, read]), {
    known: { tensor: 'f32[1, 2]', min: 4, mean: 6, max: 8, nan: 0 },
    other: 'f16[3]',
  })
})

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readStatus } from '../../../../engine/cli/live-run.ts'
import { describeStatus } from '../../../../engine/cli/verbs/top.ts'
import { operator } from '../../../../engine/operator.ts'
import { askTap, stopTap, summary } from '../../../../engine/run/record/tap.ts'
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

t.test('a value is summarised: tensors by shape, lists and texts by their beginning', async t => {
  t.same(summary({ a: new Float32Array(9), b: [1, 2, 3, 4, 5], c: 'x'.repeat(300), d: null }), {
    a: 'Float32Array(9)',
    b: [1, 2, 3, 4, '… (5)'],
    c: `${'x'.repeat(200)}… (300)`,
    d: null,
  })
})

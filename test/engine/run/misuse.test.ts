import { mergeMap, of } from 'rxjs'
import t from 'tap'
import { operator, type Streams } from '../../../engine/operator.ts'
import { runNodes, testBed } from '../support.ts'

t.test('an operator that breaks the contract is told so', async t => {
  const cases: readonly (readonly [string, () => Streams])[] = [
    // biome-ignore lint/suspicious/noExplicitAny: the very mistake that the types would refuse.
    ['must emit items, emitted 1: make items', () => ({ numbers: of(1 as any) })],
    ['must return a stream for the output "numbers"', () => ({ other: of() })],
    ['must return a stream for the engine', () => ({})],
    [
      'wired wrong',
      () => {
        throw new Error('wired wrong')
      },
    ],
  ]
  for (const [expected, run] of cases) {
    const odd = operator({ summary: 'Is odd.', config: {}, inputs: {}, outputs: { numbers: 'number' }, run })
    const summary = await runNodes(t, { odd: { operator: 'odd' } }, testBed({ operators: { odd } }))
    t.equal(summary.status, 'failed', expected)
    t.ok(summary.error?.message.includes(expected), summary.error?.message ?? '')
  }
})

t.test('an item that is emitted or released twice is a mistake of the operator', async t => {
  const twice = operator({
    summary: 'Emits each item twice.',
    config: {},
    inputs: { numbers: 'number' },
    outputs: { numbers: 'number' },
    run: ({ numbers }) => ({ numbers: numbers.pipe(mergeMap(item => of(item, item))) }),
  })
  const on = testBed({ operators: { twice } })
  const nodes = {
    count: { operator: 'range', config: { count: 3 } },
    twice: { operator: 'twice', from: { numbers: 'count.numbers' } },
  }
  const summary = await runNodes(t, nodes, on)
  t.equal(summary.error?.code, 'operator-misused')
  t.match(summary.error?.message, /item "0" twice or released/)
  t.equal(on.buffers.live, 0)
})

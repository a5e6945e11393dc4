import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { runNodes, type TestBed, testBed } from '../support.ts'

/** A node that names a box and a shared thing, and fails when told to. */
function user(): TestBed {
  const use = operator({
    summary: 'Uses a box.',
    config: {
      box: { type: 'string', resource: 'box', description: 'Its box.' },
      fail: { type: 'boolean', default: false, description: 'Fails.' },
    },
    inputs: { numbers: 'number' },
    outputs: {},
    run: ({ numbers }, { box, fail }, context) => ({
      end: numbers.pipe(
        context.each(async (value: number) => {
          const name = context.resource<string>(box)
          const device = await context.shared(
            'device',
            async () => {
              on.events.push('open device')
              return 'gpu'
            },
            () => {
              on.events.push('close device')
            },
          )
          if (fail && value === 2) throw new Error('boom')
          on.seen.push(`${name} ${device} ${value}`)
          return undefined
        }),
      ),
    }),
  })
  const on = testBed({ operators: { use } })
  return on
}

const nodes = (config: object) => ({
  count: { operator: 'range', config: { count: 3 } },
  use: { operator: 'use', config, from: { numbers: 'count.numbers' } },
})

const resources = {
  outer: { resource: 'box', config: { name: 'outer', inner: 'inner' } },
  inner: { resource: 'box', config: { name: 'inner' } },
}

t.test('resources open in the order of their needs and close in reverse', async t => {
  const on = user()
  const summary = await runNodes(t, nodes({ box: 'outer' }), on, { rest: { resources } })
  t.equal(summary.status, 'completed', summary.error?.message ?? '')
  t.same(on.seen, ['outer gpu 0', 'outer gpu 1', 'outer gpu 2'])
  t.same(
    on.events.filter(event => event !== 'source ended'),
    ['open inner', 'open outer around inner', 'open device', 'close device', 'close outer', 'close inner'],
  )
})

t.test('they close when the run fails', async t => {
  const on = user()
  const summary = await runNodes(t, nodes({ box: 'outer', fail: true }), on, { rest: { resources } })
  t.equal(summary.status, 'failed')
  t.same(on.events.slice(-3), ['close device', 'close outer', 'close inner'])
  t.equal(on.buffers.live, 0)
})

t.test('when one does not open, those that did close, and no node starts', async t => {
  const on = user()
  const broken = {
    ...resources,
    outer: { resource: 'box', config: { name: 'outer', inner: 'inner', broken: true } },
  }
  const summary = await runNodes(t, nodes({ box: 'outer' }), on, { rest: { resources: broken } })
  t.equal(summary.error?.code, 'resource-failed')
  t.equal(summary.error?.message, 'resource "outer" (box): jammed')
  t.same(on.events, ['open inner', 'close inner'])
  t.same(on.seen, [])
})

import t from 'tap'
import { Arriving } from '../../../engine/learners/arriving.ts'
import type { WireForm } from '../../../engine/wire-form.ts'
import { plainContext } from '../../operators/context.ts'

/** Values 0 to 5, and what became of them. */
function share(unpacking: (value: number) => Promise<void>) {
  const events: string[] = []
  const form: WireForm<number> = {
    pack: json => ({ json }),
    unpack: async ({ json }) => {
      const value = Number(json)
      events.push(`begins ${value}`)
      await unpacking(value)
      return { value, dispose: () => events.push(`frees ${value}`) }
    },
  }
  const packed = Array.from({ length: 6 }, (_, json) => ({ json }))
  return {
    events,
    values: new Arriving(packed, form, { ...plainContext, resource: () => t.fail() as never }),
  }
}

t.test('values come in order, whichever is unpacked first, and two are unpacked ahead', async t => {
  const { events, values } = share(value => new Promise(done => setTimeout(done, value % 2 ? 1 : 20)))
  const taken: unknown[] = []
  for await (const value of values) {
    t.same(
      events.map(event => Number(event.split(' ')[1])),
      Array.from({ length: Math.min(6, Number(value) + 3) }, (_, i) => i),
    )
    taken.push(value)
  }
  t.same(taken, [0, 1, 2, 3, 4, 5])
  await values.free()
  t.same(
    events.slice(6),
    [0, 1, 2, 3, 4, 5].map(value => `frees ${value}`),
  )
})

t.test(
  'when a value cannot be unpacked who asks for it is told, and those that were begun are freed',
  async t => {
    const { events, values } = share(async value => {
      if (value === 1) throw new Error('its file is gone')
    })
    await t.rejects(async () => {
      for await (const value of values) t.equal(value, 0)
    }, /its file is gone/)
    await values.free()
    t.same(
      events.filter(event => event.startsWith('frees')),
      ['frees 0', 'frees 2', 'frees 3'].filter(event => events.includes(event.replace('frees', 'begins'))),
    )
    t.ok(events.includes('frees 2'), 'one that was ahead, too')
  },
)

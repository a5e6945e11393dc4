import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { collectGarbage } from '../../collect-garbage.ts'
import { runNodes, testBed } from '../support.ts'

const items = 300

t.test('a run that goes on has forgotten the values that went through it', async t => {
  const made: WeakRef<object>[] = []
  const remembered = <Value extends object>(value: Value): Value => {
    made.push(new WeakRef(value))
    return value
  }
  let alive = items
  const objects = operator({
    summary: 'Gives objects.',
    config: {},
    inputs: {},
    outputs: { items: 'any' },
    run: (_inputs, _config, context) => ({
      items: context.source(async function* () {
        for (let i = 0; i < items; i++)
          yield { key: String(i), value: remembered({ i }), dispose: on.buffers.make() }
        await collectGarbage()
        alive = made.filter(ref => ref.deref() !== undefined).length
      }),
    }),
  })
  const wrap = operator({
    summary: 'Puts an object into another.',
    config: {},
    inputs: { items: 'any' },
    outputs: { items: 'any' },
    run: ({ items }, _config, context) => ({
      items: items.pipe(
        context.each((inner: unknown) => context.emit(remembered({ inner }), { dispose: on.buffers.make() })),
      ),
    }),
  })
  const end = operator({
    summary: 'Takes what comes.',
    config: {},
    inputs: { items: 'any' },
    outputs: {},
    run: ({ items }, _config, context) => ({ none: items.pipe(context.each(() => undefined)) }),
  })
  const on = testBed({ operators: { objects, wrap, end } })
  const nodes = {
    objects: { operator: 'objects' },
    wrap: { operator: 'wrap', from: { items: 'objects.items' } },
    end: { operator: 'end', from: { items: 'wrap.items' } },
  }
  const { status, leaked } = await runNodes(t, nodes, on)
  t.match({ status, leaked }, { status: 'completed', leaked: 0 })
  t.equal(made.length, 2 * items)
  t.ok(alive <= 20, `${alive} of ${made.length} objects are still held`)
})

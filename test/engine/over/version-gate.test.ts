import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { type Pinned, VersionGate } from '../../../engine/over/version-gate.ts'
import { Bell } from '../../../engine/shared/bell.ts'

/** A gate without inputs, and the folders of the versions that it applied. */
function opened(apply: (folder: string) => Promise<void> = async () => {}) {
  const applied: string[] = []
  const bell = new Bell()
  const gate = new VersionGate({
    inputs: [],
    waiting: 4,
    begin: () => undefined,
    isOver: () => false,
    bell,
    apply: async ({ folder }) => {
      await apply(folder)
      applied.push(folder)
    },
  })
  const ending = new AbortController()
  const passed: string[] = []
  const pass = async (name: string, call: Pinned) => {
    await gate.pass(call, ending.signal)
    passed.push(name)
  }
  return { gate, bell, applied, passed, pass, ending }
}

/** An order that is pinned to a version; its node is told nothing. */
const pinned = (version: number): Pinned => {
  return { order: { latest: { 'node.weights': { value: undefined, version: folder(version) } } } }
}
const folder = (version: number) => ({ folder: `version ${version}`, files: [] })

/** The same for a node that is told of the version. */
const told = (version: number): Pinned => {
  return { order: { latest: { 'node.weights': { value: version, version: folder(version) } } } }
}

t.test(
  'orders of one version pass together, and those of the next one when none of them is worked on',
  async t => {
    const { gate, passed, pass, applied } = opened()
    const orders = [told(1), told(1), told(2), told(2), told(1)]
    const [first, second, third, fourth] = orders
    if (!first || !second || !third || !fourth) return
    const tellings = tellAll(gate)
    const all = orders.map((order, i) => pass(String(i), order))
    await Promise.all(all.slice(0, 2))
    await delay(20)
    t.same(passed, ['0', '1'], 'the next version waits')
    gate.leave(second)
    await delay(20)
    t.same(passed, ['0', '1'], 'one of them is still worked on')
    gate.leave(first)
    await Promise.all(all.slice(2, 4))
    await delay(20)
    t.same(passed, ['0', '1', '2', '3'])
    t.equal(gate.version, '[2]')
    gate.leave(third)
    gate.leave(fourth)
    await all[4]
    t.same(applied, ['version 1', 'version 2', 'version 1'], 'an order that comes back has its version again')
    t.same(tellings, [1, 2, 1], 'the nodes are told each time')
  },
)

t.test('what cannot be brought to its version rejects its order, and the next one tries again', async t => {
  let tries = 0
  const { passed, pass, applied } = opened(async () => {
    if (++tries === 1) throw new Error('the file is damaged')
  })
  const [first, second] = [pass('first', pinned(1)), pass('second', pinned(1))]
  await t.rejects(first, /the file is damaged/)
  await second
  t.same([passed, applied], [['second'], ['version 1']])
})

t.test('when the run is aborted nothing waits any more', async t => {
  const { gate, pass, ending, bell } = opened()
  tellAll(gate)
  await pass('first', told(1))
  const waiting = pass('second', told(2))
  ending.abort(new Error('the run was aborted'))
  bell.ring()
  await t.rejects(waiting, /the run was aborted/)
})

/** Reads what nodes are told, as a source of the engine does; returns the list that it adds to. */
function tellAll(gate: VersionGate): unknown[] {
  const values: unknown[] = []
  const read = async (pull: () => AsyncIterable<{ value: { value: unknown } }>) => {
    for await (const { value } of pull()) values.push(value.value)
  }
  const signal = new AbortController().signal
  const source = (pull: never) => {
    void read(pull)
    return { pipe: () => ({}) }
  }
  // the gate takes no more than these two of a context
  gate.versions({ signal, source } as never)
  return values
}

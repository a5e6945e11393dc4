// Groups of other processes whose features lie in files: a process reads those that it works on.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Learners } from '../../../engine/learners/learners.ts'
import type { Member } from '../../../engine/learners/member.ts'
import type { FromLearner } from '../../../engine/learners/messages.ts'
import { openMemory, SharedNumbers } from '../../../engine/learners/shared-numbers.ts'
import type { WireContext } from '../../../engine/operator.ts'
import { decode } from '../../../engine/over/message.ts'
import type { Packed } from '../../../engine/wire-form.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { groupTeam } from '../../../operators/grpo/update-groups.ts'
import { withFeatures } from '../../../operators/grpo/with-features.ts'
import type { Group } from '../../../operators/kinds.ts'
import { groupForm } from '../../../operators/wire/prompt.ts'
import { plainContext } from '../context.ts'
import { groupOf } from '../group.ts'

t.setTimeout(800_000)

const shape = [2, 5]
const numbersOf = (i: number) => Float32Array.from({ length: 10 }, (_, k) => i + k / 8)

/** Groups that have arrived from a worker, and how to release their items. */
async function arrived(t: Test, count: number) {
  const device = await openDevice()
  t.teardown(() => device.close())
  const folder = join(t.testdir({}), 'values')
  // the device is all that is shared here
  const context: WireContext = { ...plainContext, nearby: folder, shared: async <T>() => device as T }
  const made = {
    model: 'policy',
    visual: 'frames' as const,
    indices: [0],
    shape,
    aspect: 'square' as const,
    opened: { deadlineSeconds: 1, folderFramesPerSecond: 1 },
  }
  const all = await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const features = device.tensor('features', shape, 'f32', numbersOf(i))
      const { prompt, ...group } = groupOf([])
      const packed = await groupForm.pack({ ...group, prompt: { ...prompt, features, made } }, context)
      device.freeTensor(features)
      return groupForm.unpack(packed, context)
    }),
  )
  const groups = all.map(({ value }) => value)
  const inMemory = () => groups.flatMap(({ prompt }, i) => (device.holds(prompt.features) ? [i] : []))
  const release = () => {
    for (const { dispose } of all) dispose?.()
  }
  return { device, folder, context, groups, inMemory, release }
}

t.test('the process of the run reads the features of its own share alone', async t => {
  const { device, folder, context, groups, inMemory, release } = await arrived(t, 6)
  t.equal(device.liveBytes, 0)
  t.equal(readdirSync(folder).length, 6)
  const given: Packed[] = []
  const logged: string[] = []
  const learners = new Learners({
    size: 2,
    numbers: new SharedNumbers(openMemory(), 2),
    nodes: [
      {
        name: plainContext.node,
        items: 1,
        form: groupForm,
        outgoing: one => groupTeam.outgoing(one as Group),
      },
    ],
    start: (_, { onMessage }) => memberOf(given, onMessage),
    fail: error => t.fail(error.message),
  })
  const log = (line: string) => logged.push(line)
  const numbers = await learners.together({ ...plainContext, ...context }, groups, async share => {
    const read: number[][] = []
    for await (const { prompt } of withFeatures(share, { log }))
      read.push([...(await device.read(prompt.features))])
    return read
  })
  t.same(
    numbers,
    [0, 1, 2].map(i => [...numbersOf(i)]),
  )
  t.same(inMemory(), [0, 1, 2], 'the others have none here')
  t.match(logged, [/^features in files: 3 read, 120 bytes; waited [\d.]+ s for them$/])
  t.same(
    given.map(({ tensors }) => tensors),
    [{}, {}, {}],
    'no numbers travel in messages',
  )
  for (const { json } of given) {
    const { made } = (json as Group).prompt
    t.equal(made?.lent, true)
    t.ok(existsSync(join(folder, made?.file ?? '')), 'they go on by the file in which they came')
  }
  release()
  t.equal(device.liveBytes, 0)
  t.same(readdirSync(folder), [])
  await learners.close()
})

/** A learner that keeps what it is given, and ends its work at once. */
function memberOf(given: Packed[], onMessage: (message: FromLearner) => void): Member {
  const member: Pick<Member, 'name' | 'ready' | 'give' | 'tell' | 'close'> = {
    name: 'learner 2 of 2',
    ready: Promise.resolve(),
    give: (batch, _, values) => {
      given.push(...values.map(bytes => decode(bytes, { checksums: false })))
      setTimeout(() => onMessage({ type: 'ended', batch }))
    },
    tell: () => {},
    close: async () => {},
  }
  return member as Member // what a home process uses of one
}

t.test('two are read ahead, in order, and work that fails leaves nothing behind', async t => {
  const { device, folder, groups, inMemory, release } = await arrived(t, 6)
  const seen: number[][] = []
  const log = () => t.fail('a share that was given up is not told of')
  await t.rejects(async () => {
    for await (const { prompt } of withFeatures(groups, { log })) {
      await device.finish()
      seen.push([...(await device.read(prompt.features))])
      if (seen.length === 2) throw new Error('bad advantage')
    }
  }, /bad advantage/)
  t.same(
    seen,
    [0, 1].map(i => [...numbersOf(i)]),
  )
  t.same(inMemory(), [0, 1, 2, 3], 'those that were ahead have been awaited')
  release()
  t.equal(device.liveBytes, 0)
  t.same(readdirSync(folder), [])
})

t.test('a group of this process is taken as it is', async t => {
  const group = groupOf([])
  const log = () => t.fail('nothing is read')
  const taken: Group[] = []
  for await (const one of withFeatures([group], { log })) taken.push(one)
  t.equal(taken[0], group)
  t.equal(taken.length, 1)
})

// The features of a prompt between processes of one machine: a file, or the clip again.
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { WireContext } from '../../../engine/operator.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import { groupTeam } from '../../../operators/grpo/update-groups.ts'
import type { Group } from '../../../operators/kinds.ts'
import { laterFeatures, loadFeatures } from '../../../operators/model/later-features.ts'
import { seenOf } from '../../../operators/model/moment-seconds.ts'
import { forms } from '../../../operators/wire/index.ts'
import { plainContext } from '../context.ts'

t.setTimeout(800_000)

const shape = [2, 3]
const numbers = [1, -2.5, 3e-40, 4, 5, Number.MAX_VALUE]

async function started(t: Test, nearby?: string) {
  const device = await openDevice()
  t.teardown(() => device.close())
  const asked: string[] = []
  const context: WireContext = {
    signal: plainContext.signal,
    ...(nearby !== undefined && { nearby }),
    resource: name => {
      asked.push(name)
      throw new Error(`${name} is not opened here`)
    },
    // the device is all that is shared here
    shared: async <T>() => device as T,
  }
  const features = device.tensor('features', shape, 'f32', Float32Array.from(numbers))
  const made = {
    model: 'policy',
    visual: 'frames' as const,
    indices: [0],
    shape,
    aspect: 'square' as const,
    opened: {},
  }
  const sample = { video: 'clip.mp4', question: 'q', solution: 'A', fields: {} }
  const group = {
    prompt: { sample, text: '', ids: [1], features, made },
    completions: [],
    policyVersion: 0,
    generateSeconds: 0,
  } as unknown as Group
  const { group: form } = forms
  if (!form) throw new Error('groups travel')
  return { device, context, group, form, asked }
}

t.test('features between processes of one machine lie in a file, which goes with the value', async t => {
  const folder = join(t.testdir({}), 'values')
  const { device, context, group, form } = await started(t, folder)
  const packed = await form.pack(group, context)
  t.same(packed.tensors, {}, 'the message has none')
  t.equal(readdirSync(folder).length, 1)
  const { value, bytes, dispose } = await form.unpack(packed, context)
  t.equal(bytes, 24)
  await loadFeatures(value.prompt)
  t.same([...(await device.read(value.prompt.features))], [...Float32Array.from(numbers)])

  const { made } = value.prompt
  const answered = { sample: value.prompt.sample, text: '', ids: [2], made }
  const prompt = await forms.prompt?.unpack({ json: answered }, context)
  t.equal(device.holds(prompt?.value.features), true, 'those of a prompt are read when it arrives')
  device.freeTensor(prompt?.value.features)

  t.same((await form.pack(value, context)).json, packed.json, 'from there it goes on by the same file')
  t.equal(readdirSync(folder).length, 1)
  dispose?.()
  t.same(readdirSync(folder), [])
  t.equal(device.holds(value.prompt.features), false)
})

t.test('without such a folder, or without the file, they are made again from the clip', async t => {
  const far = await started(t)
  const packed = await far.form.pack(far.group, far.context)
  t.notMatch(JSON.stringify(packed.json), /f32/)
  await t.rejects(async () => far.form.unpack(packed, far.context), /policy is not opened here/)

  const folder = join(t.testdir({}), 'values')
  const near = await started(t, folder)
  const filed = await near.form.pack(near.group, near.context)
  for (const context of [far.context, { ...near.context, nearby: join(folder, 'other') }])
    await t.rejects(async () => near.form.unpack(filed, context), /policy is not opened here/)
})

t.test('a file that is not whole is refused, and a name cannot lead elsewhere', async t => {
  const folder = join(t.testdir({}), 'values')
  mkdirSync(folder)
  const { context, group, form } = await started(t, folder)
  const { json } = await form.pack(group, context)
  const [name = ''] = readdirSync(folder)
  writeFileSync(join(folder, name), 'short')
  await t.rejects(
    async () => form.unpack({ json }, context),
    /must have the 24 bytes of \(2,3\) numbers, has 5/,
  )
  const elsewhere = JSON.parse(JSON.stringify(json).replace(name, '../../passwd'))
  await t.rejects(async () => form.unpack({ json: elsewhere }, context), { code: 'path-outside' })
})

t.test('those of a group are read when they are loaded, once, and freed once', async t => {
  const folder = join(t.testdir({}), 'values')
  const { device, context, group, form } = await started(t, folder)
  const before = device.liveBytes
  const arrive = async () => form.unpack(await form.pack(group, context), context)

  const { value, dispose } = await arrive()
  const { features } = value.prompt
  t.match(features, { shape, type: 'f32' })
  t.equal(device.liveBytes, before, 'nothing has been read')
  await t.rejects(async () => device.read(features), /features before "await loadFeatures\(prompt\)"/)
  const scored: Group = { ...value, prompt: { ...value.prompt, text: 'scored' } }
  await Promise.all([loadFeatures(value.prompt), loadFeatures(scored.prompt), seenOf(scored.prompt)])
  const read = device.liveBytes
  t.ok(read > before)
  t.same([...(await device.read(features))], [...Float32Array.from(numbers)])
  await loadFeatures(value.prompt)
  t.equal(device.liveBytes, read, 'those who ask for them share what was read')
  dispose?.()
  t.equal(device.liveBytes, before)
  t.same(readdirSync(folder), [])

  const unread = await arrive()
  unread.dispose?.()
  t.same(readdirSync(folder), [], 'the file goes although nobody has read it')
  await t.rejects(loadFeatures(unread.value.prompt), /must be loaded before their item is released/)

  const released = await arrive()
  const loading = loadFeatures(released.value.prompt)
  released.dispose?.()
  await t.rejects(loading, /must be loaded before their item is released/)
  t.equal(device.liveBytes, before, 'what was being read is freed when it is there')
  t.same(readdirSync(folder), [])
})

t.test('a file that goes with its item while it is opened is told as the release of the item', async t => {
  const { device } = await started(t)
  let lose = () => {}
  const lost = () => new Promise<never>((_, reject) => (lose = () => reject(new Error('found no file'))))
  const { tensor, dispose } = laterFeatures(device, shape, lost)
  const loading = loadFeatures({ features: tensor })
  dispose()
  lose()
  await t.rejects(loading, /must be loaded before their item is released/)
})

t.test('features that could not be read are read by the next attempt', async t => {
  const folder = join(t.testdir({}), 'values')
  const { device, context, group, form } = await started(t, folder)
  const { value, dispose } = await form.unpack(await form.pack(group, context), context)
  const [name = ''] = readdirSync(folder)
  renameSync(join(folder, name), join(folder, 'elsewhere'))
  await t.rejects(loadFeatures(value.prompt), /must hold the features of a prompt .* found no file/)
  renameSync(join(folder, 'elsewhere'), join(folder, name))
  await loadFeatures(value.prompt)
  t.equal(device.holds(value.prompt.features), true)
  dispose?.()
  t.equal(device.holds(value.prompt.features), false)
})

t.test('a learner leaves the file to the process that it got the group from', async t => {
  const folder = join(t.testdir({}), 'values')
  const { device, context, group, form } = await started(t, folder)
  const { value, dispose } = await form.unpack(await form.pack(group, context), context)
  const given = await form.unpack(await form.pack(groupTeam.outgoing(value), context), context)
  await loadFeatures(given.value.prompt)
  given.dispose?.()
  t.equal(device.holds(given.value.prompt.features), false)
  t.equal(readdirSync(folder).length, 1)
  await loadFeatures(value.prompt)
  t.same([...(await device.read(value.prompt.features))], [...Float32Array.from(numbers)])
  dispose?.()
  t.same(readdirSync(folder), [])
})

t.test('features are written while the prompt is worked on, and the message names that file', async t => {
  const folder = join(t.testdir({}), 'values')
  const { context, group, form } = await started(t, folder)
  const end = forms.prompt?.begin?.(group.prompt, context)
  await until(() => existsSync(folder) && readdirSync(folder).length === 1)
  const [name] = readdirSync(folder)
  const packed = await form.pack(group, context)
  t.match(packed.json, { prompt: { made: { file: name } } })
  end?.()
  await delay(20)
  t.same(readdirSync(folder), [name], 'it belongs to who gets the message')

  const dropped = forms.prompt?.begin?.(group.prompt, context)
  await until(() => readdirSync(folder).length === 2)
  dropped?.()
  await until(() => readdirSync(folder).length === 1)
  t.same(readdirSync(folder), [name], 'the file of a prompt that no message names is removed')
  t.equal((await started(t)).form.begin, undefined, 'a group is what is packed')
  const far = await started(t)
  t.equal(forms.prompt?.begin?.(far.group.prompt, far.context), undefined, 'without a folder nothing begins')
})

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5)
}

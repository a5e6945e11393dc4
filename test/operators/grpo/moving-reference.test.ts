import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../kernels/device/device.ts'
import { parameter } from '../../../kernels/networks/parameters.ts'
import { moveReference, restoreReference, saveReference } from '../../../operators/grpo/moving-reference.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { smallCheckpoint } from '../trajectory.ts'

const folder = t.testdir({})
const checkpoint = await smallCheckpoint(join(folder, 'checkpoint'))
const device = await openDevice()
t.teardown(() => device.close())
const policy = await loadModel(device, checkpoint, ['connector'])
const reference = await loadModel(device, checkpoint, [])
const name = 'connector._connector.latents'
const frozen = 'language_model.model.norm.weight'
const read = (of: typeof policy, weight: string) => device.read(parameter(of.weights, weight).value)

t.test('the trained weights of the reference move at intervals', async t => {
  const before = await read(reference, name)
  const moved = before.map(value => value + 1)
  device.write(parameter(policy.weights, name).value, moved)
  device.write(parameter(policy.weights, frozen).value, (await read(policy, frozen)).fill(9))
  policy.version = 3
  await moveReference(policy, reference, { referenceEvery: 2, referenceShare: 0.6 })
  t.same(await read(reference, name), before, 'not yet')
  policy.version = 4
  await moveReference(policy, reference, { referenceEvery: 2, referenceShare: 0.6 })
  const found = await read(reference, name)
  t.ok(found.every((value, i) => Math.abs(value - (before[i] + 0.6)) < 1e-6))
  t.notOk((await read(reference, frozen)).includes(9), 'what is not trained stays')
})

t.test('where it has gone is kept exactly', async t => {
  const path = join(folder, 'reference.safetensors')
  const before = await read(reference, name)
  await saveReference(policy, reference, path)
  device.write(
    parameter(reference.weights, name).value,
    before.map(() => 0),
  )
  await restoreReference(policy, reference, path)
  t.same(await read(reference, name), before)
})

t.test('a reference without weights of its own cannot move', async t => {
  policy.version = 2
  await t.rejects(moveReference(policy, policy, { referenceEvery: 2, referenceShare: 1 }), {
    code: 'bad-reference',
    message: /connector\._connector\.\S+ is the policy's; open the checkpoint a second time/,
  })
})

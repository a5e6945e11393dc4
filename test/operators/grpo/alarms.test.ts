import { join } from 'node:path'
import t from 'tap'
import type { Durable } from '../../../engine/operator.ts'
import { openDevice } from '../../../kernels/device/device.ts'
import type { VideoModel } from '../../../kernels/networks/video-model.ts'
import { type AlarmOptions, alarms, type UpdateResult } from '../../../operators/grpo/alarms.ts'
import { groupMetrics } from '../../../operators/grpo/group-metrics.ts'
import { updateState } from '../../../operators/grpo/update-state.ts'
import { openCheckpoint } from '../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../operators/model/checkpoint/load-model.ts'
import { cases } from '../../oracle/cases.ts'
import { writeRandomCheckpoint } from '../../oracle/random-checkpoint.ts'
import { plainContext } from '../context.ts'
import { groupOf } from '../group.ts'

const off: AlarmOptions = {
  uniformBatches: 0,
  truncatedBatches: 0,
  stillRewardBatches: 0,
  stillParameterUpdates: 0,
}

const folder = join(t.testdir({}), 'checkpoint')
await writeRandomCheckpoint(folder, cases[0])
const device = await openDevice()
t.teardown(() => device.close())
const model = await loadModel(device, await openCheckpoint(folder), ['connector', 'language'])
t.teardown(() => model.weights.free())

const group = (...rewards: number[]) => groupOf(rewards.map(reward => ({ reward })))
const cut = (...finished: boolean[]) => groupOf(finished.map((f, reward) => ({ finished: f, reward })))
/** The number of the batch at which an alarm went off, from 1, and its code; undefined when none did. */
function batches(options: Partial<AlarmOptions>, list: readonly ReturnType<typeof groupOf>[][]) {
  const watch = alarms({ ...off, ...options }, model)
  for (const [i, groups] of list.entries()) {
    try {
      watch.batch(groupMetrics(groups))
    } catch (error) {
      return { at: i + 1, ...(error as { code: string }) } // only GroupErrors are thrown
    }
  }
  return undefined
}

t.test('equal rewards in every group of the given number of batches stop a run', async t => {
  const [even, varied] = [
    [group(1, 1), group(0, 0)],
    [group(1, 1), group(0, 1)],
  ]
  const code = 'uniform-rewards'
  t.match(batches({ uniformBatches: 3 }, [even, even, even]), { at: 3, code })
  t.match(batches({ uniformBatches: 1 }, [varied, even]), { at: 2, code })
  t.equal(batches({ uniformBatches: 3 }, [even, even, varied, even, even]), undefined)
  t.equal(batches({}, Array(50).fill(even)), undefined, '0 turns it off')
})

t.test('a limit that cuts every completion of the given number of batches stops a run', async t => {
  const [all, some] = [
    [cut(false, false), cut(false, false)],
    [cut(false, false), cut(false, true)],
  ]
  const code = 'all-truncated'
  t.match(batches({ truncatedBatches: 2 }, [some, all, all]), { at: 3, code })
  t.equal(batches({ truncatedBatches: 2 }, [all, some, all, some]), undefined)
})

t.test('a mean reward that never moves stops a run', async t => {
  const [one, same, other] = [[group(1, 0)], [group(0, 1)], [group(1, 1)]]
  const code = 'still-reward'
  t.match(batches({ stillRewardBatches: 2 }, [other, one, same, one]), { at: 4, code })
  t.equal(batches({ stillRewardBatches: 2 }, [one, same, other, one, same]), undefined)
})

/** Runs updates that change every trained weight by its last bit but those named. */
async function updates(count: number, still: RegExp, of: UpdateResult) {
  const watch = alarms({ ...off, stillParameterUpdates: 3 }, model)
  await watch.begin()
  for (let i = 0; i < count; i++) {
    for (const { name, value, gradient } of model.weights.byName.values())
      if (gradient && !still.test(name)) await nudge(model, value)
    await watch.begin()
    await watch.update(of)
  }
}

async function nudge({ device }: VideoModel, value: Parameters<typeof device.read>[0]): Promise<void> {
  const values = await device.read(value)
  new Uint32Array(values.buffer)[values.length - 1] ^= 1
  device.write(value, values)
}

const moving = { gradientNorm: 1, learningRate: 1e-6, peakLearningRate: 1e-6 }

t.test('a trained weight that does not change stops a run, with its name', async t => {
  const name = 'language_model.model.layers.0.self_attn.k_proj.bias'
  await t.rejects(updates(3, /layers\.0\.self_attn\.k_proj\.bias$/, moving), {
    name: 'GroupError',
    code: 'still-parameter',
    message: new RegExp(`1 of \\d+ trained weights did not change in 3 updates .*${name}`),
  })
  await t.resolves(updates(2, /bias$/, moving), 'not before its time')
})

t.test('weights that change, be it by a bit, go on; so do updates without gradient or rate', async t => {
  await t.resolves(updates(3, /^$/, moving))
  await t.resolves(updates(4, /./, { ...moving, gradientNorm: 0 }))
  await t.resolves(updates(4, /./, { ...moving, learningRate: 0 }))
  await t.resolves(updates(4, /./, { ...moving, peakLearningRate: 1e-4 }), 'at the end of a schedule')
})

t.test('a weight that has changed once is not looked at again', async t => {
  const watch = alarms({ ...off, stillParameterUpdates: 1 }, model)
  await watch.begin()
  for (const { value, gradient } of model.weights.byName.values()) if (gradient) await nudge(model, value)
  await t.resolves(watch.update(moving))
  await t.resolves(watch.update(moving), 'steps that are lost in rounding later')
})

t.test('a resumed run counts on from its checkpoint', async t => {
  const options = { ...off, uniformBatches: 3, stillParameterUpdates: 2 }
  const even = groupMetrics([group(1, 1)])
  const folder = t.testdir()
  const first = kept(options)
  const before = alarms(options, model, first.state.alarms)
  await before.begin()
  before.batch(even)
  before.batch(even)
  await before.update(moving)
  await first.durable?.save(folder)
  const second = kept(options)
  await second.durable?.restore(folder)
  t.strictSame(second.state.alarms, first.state.alarms)
  const after = alarms(options, model, second.state.alarms)
  await after.begin()
  t.throws(() => after.batch(even), { code: 'uniform-rewards' }, 'two of the three came before')
  await t.rejects(after.update(moving), { code: 'still-parameter' }, 'compared with before the checkpoint')
  t.equal(kept(off).durable, undefined, 'without alarms there is nothing to keep')
})

/** The state of updates, and what they register for checkpoints. */
function kept(options: AlarmOptions) {
  let durable: Durable | undefined
  const checkpoint = (state: Durable) => {
    durable = state
  }
  const entropy = { topEntropy: 1, entropyCoefficient: 0, entropyTarget: 0, entropyStep: 0, entropyMost: 0 }
  const reference = { model: 'policy', reference: '', beta: 0, referenceEvery: 0, referenceShare: 1 }
  const state = updateState({ ...options, ...entropy, ...reference }, { ...plainContext, checkpoint })
  return { state, durable }
}

import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { writeCompletions } from '../../../../kernels/networks/generation/batch-writer.ts'
import { type RefillOptions, slotWriter } from '../../../../kernels/networks/generation/slot-writer.ts'
import type { Sampling } from '../../../../kernels/networks/generation/token-drawing.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { cases } from '../../../oracle/cases.ts'
import { writeRandomCheckpoint } from '../../../oracle/random-checkpoint.ts'

const folder = join(t.testdir({}), 'checkpoint')
await writeRandomCheckpoint(folder, cases[0])
const device = await openDevice()
t.teardown(() => device.close())
const model = await loadModel(device, await openCheckpoint(folder), [])
t.teardown(() => model.weights.free())

const requests = [5, 1, 9, 3, 70, 2, 4].map((length, i) => ({
  ids: Array.from({ length }, (_, k) => (k * 7 + i * 31) % 390),
  seeds: [100 + i, 4_000_000_000 - i],
}))
const drawing: Sampling = { greedy: false, temperature: 1.2, topK: 60, topP: 0.95, repetitionPenalty: 1.1 }
/** Ends completions at very different lengths. */
const stop = (ids: readonly number[]) => {
  const found = ids.findIndex(id => id % 11 === 0)
  return found < 0 ? undefined : found + 1
}
const limits: Omit<RefillOptions, 'slots'> = { count: 2, maxNewTokens: 29, endIds: [397], stop }

for (const sampling of [drawing, { ...drawing, greedy: true, repetitionPenalty: 3 }])
  t.test(
    `completions ${sampling.greedy ? 'taken' : 'drawn'} in slots are those that are written side by side`,
    async t => {
      const wanted = await writeCompletions(model, requests, sampling, limits)
      t.ok(new Set(wanted.flat().map(row => row.ids.length)).size > 3, 'lengths differ')
      for (const slots of [1, 3]) {
        const before = device.liveBytes
        const one = slotWriter(model, sampling, { ...limits, slots })
        const found = await Promise.all(requests.map(one))
        t.equal(device.liveBytes, before, 'nothing is left on the GPU')
        for (const [i, { completions, version }] of found.entries()) {
          t.equal(version, 0)
          t.same(
            completions.map(({ ids, finished }) => ({ ids, finished })),
            wanted[i].map(({ ids, finished }) => ({ ids, finished })),
          )
          const distances = completions.flatMap((row, r) =>
            (row.logProbs ?? []).map((value, at) => Math.abs(value - (wanted[i][r].logProbs?.[at] ?? 9))),
          )
          t.ok(
            distances.every(distance => distance < 1e-5),
            'log-probabilities',
          )
        }
      }
    },
  )

t.test(
  'a late prompt takes a free slot, and one that is too long waits until slots are opened anew',
  async t => {
    const one = slotWriter(model, drawing, { ...limits, slots: 2 })
    const [short, next, long] = [requests[1], requests[3], requests[4]]
    const [wanted] = await writeCompletions(model, [long], drawing, limits)
    const first = one(short)
    const second = one(next)
    const others = first.then(() => Promise.all([one(requests[5]), one(long)]))
    t.equal((await second).completions.length, 2)
    const [, late] = await others
    t.same(
      late.completions.map(row => row.ids),
      wanted.map(row => row.ids),
    )
  },
)

t.test('a group is written by one version of the weights', async t => {
  const changing = { ...model, version: 4 }
  const update = () => {
    changing.version = 5
    return undefined
  }
  // The stop is first called after the first block of the first two prompts; it changes the weights.
  const endless = { count: 2, maxNewTokens: 40, endIds: [], slots: 2, stop: update }
  const one = slotWriter(changing, drawing, endless)
  const found = await Promise.all(requests.slice(0, 4).map(async request => (await one(request)).version))
  // The two prompts that were running continued to their end.
  t.same(found, [4, 4, 5, 5])
})

t.test('an abort rejects all prompts and frees the memory', async t => {
  const controller = new AbortController()
  const before = device.liveBytes
  const endless = { count: 2, maxNewTokens: 2000, endIds: [], slots: 2, signal: controller.signal }
  const one = slotWriter(model, drawing, endless)
  const all = Promise.allSettled(requests.slice(0, 4).map(one))
  setTimeout(() => controller.abort(), 300)
  t.same(
    (await all).map(({ status }) => status),
    ['rejected', 'rejected', 'rejected', 'rejected'],
  )
  t.equal(device.liveBytes, before)
})

t.test('an error in one prompt rejects only that prompt', async t => {
  const one = slotWriter(model, drawing, { ...limits, slots: 2 })
  const before = device.liveBytes
  const broken = {
    ...requests[0],
    get features(): never {
      throw new Error('the features are gone')
    },
  }
  const found = await Promise.allSettled([requests[1], broken, requests[2], requests[3]].map(one))
  t.same(
    found.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  )
  t.equal(device.liveBytes, before)
  await t.rejects(one({ ...requests[0], seeds: [1] }), /seeds: must be 2 of a prompt, got 1/)
})

import { join } from 'node:path'
import t from 'tap'
import { openDevice } from '../../../../kernels/device/device.ts'
import { generate, writeCompletions } from '../../../../kernels/networks/generation/batch-writer.ts'
import type { Sampling } from '../../../../kernels/networks/generation/token-drawing.ts'
import { forward } from '../../../../kernels/networks/video-model.ts'
import { probabilitiesReference } from '../../../../kernels/sampling/probabilities.ts'
import { penaliseRepeatsReference } from '../../../../kernels/sampling/repetition-penalty.ts'
import { drawReference, uniform } from '../../../../kernels/sampling/sample.ts'
import { openCheckpoint } from '../../../../operators/model/checkpoint/checkpoint.ts'
import { loadModel } from '../../../../operators/model/checkpoint/load-model.ts'
import { stopOf, textUntil } from '../../../../operators/model/stop.ts'
import { cases } from '../../../oracle/cases.ts'
import { readModel } from '../../../oracle/model.ts'
import { nextLogits } from '../../../oracle/quantities.ts'
import { writeRandomCheckpoint } from '../../../oracle/random-checkpoint.ts'

const folder = join(t.testdir({}), 'checkpoint')
await writeRandomCheckpoint(folder, cases[0])
const checkpoint = await openCheckpoint(folder)
const oracle = await readModel(checkpoint)
const prompts = [[7, 8, 9, 10, 11], [40], [5, 4, 3, 2, 1, 6, 7]]
const requests = prompts.map((ids, i) => ({ ids, completions: [], seeds: [100 + i, 7, 4_000_000_000 - i] }))
const everything: Sampling = { greedy: false, temperature: 1, topK: 0, topP: 1 }
const limits = { maxNewTokens: 21, endIds: [397] }

const device = await openDevice()
t.teardown(() => device.close())
const model = await loadModel(device, checkpoint, [])
t.teardown(() => model.weights.free())

const samplings: Sampling[] = [
  everything,
  { ...everything, temperature: 1.4, repetitionPenalty: 1.5 },
  { ...everything, temperature: 0.8, topK: 30, topP: 0.9, minP: 0.05, repetitionPenalty: 0.8 },
]
for (const sampling of samplings)
  t.test(`draws by ${JSON.stringify(sampling)} are those of the oracle`, async t => {
    const written = await writeCompletions(model, requests.slice(0, 1), sampling, {
      ...limits,
      maxNewTokens: 9,
    })
    const { repetitionPenalty: penalty = 1 } = sampling
    for (const [i, { ids, logProbs }] of written[0].entries()) {
      const chances = ids.map((_, at) => {
        const before = ids.slice(0, at)
        const logits = nextLogits(oracle, prompts[0], before)
        return probabilitiesReference(penaliseRepeatsReference(logits, before, penalty), sampling)
      })
      t.same(
        ids,
        chances.map((row, at) => drawReference(row, uniform(requests[0].seeds[i], at))),
      )
      const wanted = ids.map((id, at) => Math.log(chances[at][id]))
      const worst = Math.max(...wanted.map((value, at) => Math.abs(value - (logProbs?.[at] ?? 1))))
      t.ok(worst < 1e-4, `log-probabilities differ by ${worst}`)
    }
  })

t.test('without top-k and top-p the log-probabilities are those that training computes', async t => {
  const sampling = { ...everything, temperature: 1.3 }
  const [rows] = await writeCompletions(model, requests.slice(2), sampling, limits)
  const sequence = { ids: prompts[2], completions: rows.map(row => row.ids) }
  const pass = await forward(model, [sequence], false, 1.3)
  pass.free()
  const found = rows.flatMap(row => row.logProbs ?? [])
  t.equal(found.length, pass.logProbs.length)
  t.ok(found.every((value, i) => Math.abs(value - pass.logProbs[i]) < 1e-4))
})

t.test('without end tokens a completion has the largest length', async t => {
  const [rows] = await writeCompletions(model, requests.slice(0, 1), everything, {
    maxNewTokens: 5,
    endIds: [],
  })
  t.same(
    rows.map(({ ids, finished }) => [ids.length, finished]),
    rows.map(() => [5, false]),
  )
})

t.test('a completion does not depend on those written next to it', async t => {
  const together = await writeCompletions(model, requests, samplings[2], limits)
  for (const [i, request] of requests.entries()) {
    const seed = request.seeds[1]
    const [[alone]] = await writeCompletions(model, [{ ...request, seeds: [seed] }], samplings[2], limits)
    t.same(together[i][1].ids, alone.ids)
    const worst = (alone.logProbs ?? [9]).map((v, at) => Math.abs(v - (together[i][1].logProbs?.[at] ?? 9)))
    t.ok(Math.max(...worst) < 1e-5)
  }
})

t.test('a penalty keeps greedy decoding from repeating itself', async t => {
  const greedy = { ...everything, greedy: true }
  const repeats = (ids: readonly number[]) => ids.length - new Set(ids).size
  const [[plain]] = await generate(model, requests.slice(0, 1), greedy, limits)
  const punished = { ...greedy, repetitionPenalty: 50 }
  const [[one]] = await writeCompletions(model, requests.slice(0, 1), punished, limits)
  t.ok(repeats(plain) > repeats(one.ids), `${repeats(plain)} > ${repeats(one.ids)}`)
  t.equal(one.logProbs, undefined, 'greedy tokens have no log-probability')
})

t.test('a stop ends each completion where its text first contains it, and changes nothing else', async t => {
  const free = await writeCompletions(model, requests.slice(0, 1), everything, limits)
  const text = model.tokenizer.decode(free[0][0].ids)
  const stops = [text.slice(4, 7), text.slice(8, 10)]
  const stop = stopOf(model.tokenizer, stops)
  const stopped = await writeCompletions(model, requests.slice(0, 1), everything, { ...limits, stop })
  for (const [i, row] of stopped[0].entries()) {
    const whole = free[0][i]
    const kept = stop(whole.ids)
    t.same(row.ids, whole.ids.slice(0, kept ?? whole.ids.length))
    t.same(row.logProbs, whole.logProbs?.slice(0, row.ids.length))
    t.equal(row.finished, kept !== undefined || whole.finished)
  }
  t.ok(stopped[0][0].ids.length < free[0][0].ids.length, 'the stop was met')
  t.ok(textUntil(model.tokenizer.decode(stopped[0][0].ids), stops, true).length <= 7)
})

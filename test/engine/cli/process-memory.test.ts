import { join } from 'node:path'
import t from 'tap'
import { bytesOnGpu } from '../../../engine/cli/process-memory.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import { planMemory } from '../../../engine/graph/memory.ts'
import { learnerMemory } from '../../../engine/learners/learner-memory.ts'
import { homeMemory, workerMemory } from '../../../engine/over/part-memory.ts'
import { operators, resources } from '../../../operators/index.ts'
import { repository } from '../../fixtures.ts'

const plan = loadGraph(join(repository, 'graphs/grpo.json'), { operators, resources }, {})
const [part] = plan.parts
if (!part) throw new Error('graphs/grpo.json must state a part')
const whole = planMemory(plan).bytes
const home = homeMemory(plan)
const worker = workerMemory(plan, part)
const learner = learnerMemory(plan).bytes

t.test('a worker plans memory for completions, and none for updates', async t => {
  const parts = new Set(worker.rows.map(row => row.part))
  t.ok(parts.has('groups'), 'the caches of completions')
  t.ok(parts.has('prompts.prompts → groups.prompts'), 'what waits for it')
  for (const other of ['optimizer', 'reference', 'update']) t.notOk(parts.has(other), other)
})

t.test('the home part plans memory for updates, and none for completions', async t => {
  const parts = new Set(home.rows.map(row => row.part))
  for (const own of ['policy', 'optimizer', 'update']) t.ok(parts.has(own), own)
  t.notOk(parts.has('groups'))
})

t.test('processes on one GPU are added up; of several GPUs the fullest counts', async t => {
  t.equal(bytesOnGpu(plan, { learners: 1 }), whole)
  t.equal(bytesOnGpu(plan, { learners: 3 }), whole + 2 * learner)
  t.equal(bytesOnGpu(plan, { learners: 1, workers: 2 }), home.bytes + 2 * worker.bytes)
  t.equal(bytesOnGpu(plan, { learners: 1, workers: 0 }), home.bytes, 'its workers are elsewhere')
  const two = { learners: 2, workers: 2, gpus: ['0', '1'] }
  t.equal(bytesOnGpu(plan, two), Math.max(home.bytes, learner) + worker.bytes)
  const three = { learners: 1, workers: 3, gpus: ['0', '1', '1'] }
  t.equal(bytesOnGpu(plan, three), Math.max(home.bytes + worker.bytes, 2 * worker.bytes))
})

// Trains a small model on groups that a test makes up.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import type { Registry } from '../../../engine/graph/plan.ts'
import { operator } from '../../../engine/operator.ts'
import { startRun } from '../../../engine/run/run.ts'
import { imagePlaceholderId } from '../../../kernels/networks/packing.ts'
import { sharedDevice } from '../../../operators/device.ts'
import { operators, resources } from '../../../operators/index.ts'
import type { Group } from '../../../operators/kinds.ts'
import modelRandom, { writeRandomCheckpoint } from '../../../operators/model/random.ts'
import { fixture } from '../../fixtures.ts'
import { noise } from '../../kernels/support.ts'
import { groupOf } from '../group.ts'

const defaults = Object.fromEntries(
  Object.entries(modelRandom.config).map(([name, field]) => [name, 'default' in field ? field.default : '']),
) as Parameters<typeof writeRandomCheckpoint>[1] // every field but the folder has a default
export const folder = t.testdir()
const checkpoint = join(folder, 'checkpoint')
const sizes = {
  hidden: 32,
  intermediate: 48,
  layers: 1,
  visionHidden: 16,
  visionHeads: 2,
  queries: 5,
  group: 2,
}
export const written = { ...defaults, ...sizes, folder: checkpoint, tokenizer: fixture('prompts') }
await writeRandomCheckpoint(checkpoint, { ...written, dtype: 'float32' })

/** Emits groups of two completions, one of them better. */
const source = operator({
  summary: 'Gives groups.',
  config: { count: { type: 'integer', description: 'How many.' } },
  inputs: {},
  outputs: { groups: 'group' },
  run: (_inputs, { count }, context) => ({
    groups: context.source<Group>(async function* () {
      const device = await sharedDevice(context)
      for (let i = 0; i < count; i++) {
        const group = groupOf([
          { ids: [20 + i, 21, 22], reward: 1 },
          { ids: [30 + i], reward: i % 3 },
        ])
        const values = noise(4 * 16 * 16, i)
        const features = device.tensor('features', [4, 16, 16], 'f32', values)
        const prompt = { ...group.prompt, ids: [7, imagePlaceholderId, 8 + i], features }
        const { buffer } = features.storage
        const dispose = () => device.free(buffer)
        yield { key: `group ${i}`, value: { ...group, prompt }, dispose }
      }
    }),
  }),
})

let runs = 0
/** Runs groups through advantages and updates; what the run recorded. */
export async function train(
  count: number,
  update: { groupsPerUpdate?: number; updatesPerBatch?: number; [field: string]: unknown },
  options: {
    reference?: boolean | string
    noise?: number
    rewards?: object
    saves?: boolean
    operator?: Registry['operators'][string]
  } = {},
) {
  const { groupsPerUpdate = 1, updatesPerBatch = 1 } = update
  const model = { resource: 'model', config: { path: checkpoint } }
  const graph = {
    version: 1,
    summary: 'A test.',
    ...(options.saves && { checkpoint: { every: 0 } }),
    resources: {
      policy: { ...model, config: { path: checkpoint, train: ['connector', 'language'] } },
      ...(options.reference && {
        reference:
          typeof options.reference === 'string' ? { ...model, config: { path: options.reference } } : model,
      }),
      optimizer: {
        resource: 'adamw',
        config: { model: 'policy', learningRate: 0.01, schedule: 'constant', warmupRatio: 0, steps: 9 },
      },
    },
    nodes: {
      groups: { operator: 'test.groups', config: { count } },
      advantages: {
        operator: 'grpo.advantage',
        config: { noise: options.noise ?? 0 },
        from: { groups: options.rewards ? 'rewards.groups' : 'groups.groups' },
      },
      ...(options.rewards && { rewards: { ...options.rewards, from: { groups: 'groups.groups' } } }),
      recorded: {
        operator: 'group.record',
        config: { metrics: false, groupsPerUpdate, updatesPerBatch },
        from: { groups: 'advantages.groups' },
      },
      update: {
        operator: options.operator ? 'test.update' : 'grpo.update',
        config: { model: 'policy', optimizer: 'optimizer', ...update },
        from: { groups: 'recorded.groups' },
      },
    },
  }
  const own = { 'test.groups': source, ...(options.operator && { 'test.update': options.operator }) }
  const registry = { operators: { ...operators, ...own }, resources }
  const plan = loadGraph('test.json', registry, { read: () => JSON.stringify(graph) })
  const directory = join(folder, `run-${++runs}`)
  const summary = await startRun(plan, { seed: 0, directory }).done
  const lines = (stream: string): Record<string, number>[] =>
    readFileSync(join(directory, `${stream}.jsonl`), 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
  return { summary, lines, directory }
}

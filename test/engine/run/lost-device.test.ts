import { join } from 'node:path'
import t from 'tap'
import { makeEmbedded } from '../../../engine/cli/embedded.ts'
import { loadGraph } from '../../../engine/graph/check.ts'
import type { Registry } from '../../../engine/graph/plan.ts'
import { operator } from '../../../engine/operator.ts'
import { checkpointsOf, listCheckpoints, readState } from '../../../engine/run/checkpoint/folder.ts'
import { rewindFiles } from '../../../engine/run/record/files.ts'
import { startRun } from '../../../engine/run/run.ts'
import { sharedDevice } from '../../../operators/device.ts'
import { operators, resources } from '../../../operators/index.ts'
import type { Group } from '../../../operators/kinds.ts'
import { repository } from '../../fixtures.ts'
import { compare } from './checkpoint/kill-and-resume.ts'

/** The reward of the graph; before the given update it loses the GPU. */
function registryLosing(at: number): Registry {
  const reward = operators['reward.accuracy-format']
  const losing = operator({
    ...reward,
    run: (inputs, config, context) => {
      const groups = inputs.groups.pipe(
        context.each(async (group: Group) => {
          if (group.policyVersion === at) (await sharedDevice(context)).gpu.destroy()
          return group
        }),
      )
      return reward.run({ groups }, config, context)
    },
  })
  return { operators: { ...operators, 'reward.accuracy-format': losing }, resources }
}

const shapes = ['model=builtin:shapes', 'data=builtin:shapes/train.jsonl']
const set = [
  ...shapes,
  'frames=1',
  'group=2',
  'maxNewTokens=4',
  'learningRate=1e-3',
  'checkpointEvery=1',
  'steps=3',
]

async function run(directory: string, loseAt: number, from?: string) {
  const registry = registryLosing(loseAt)
  const plan = loadGraph(join(repository, 'graphs/grpo.json'), registry, { set })
  await makeEmbedded(plan, registry, () => {})
  return startRun(plan, { seed: 0, directory, ...(from !== undefined && { from }) }).done
}

t.test('a training that lost its device goes on to the numbers and weights of one that did not', async t => {
  const [whole, other] = ['whole', 'other'].map(name => join(t.testdir(), name)) as [string, string] // two of two
  t.equal((await run(whole, -1)).status, 'completed')
  const lost = await run(other, 2)
  t.match(lost, { status: 'failed', leaked: 0, error: { message: /the GPU device .*was lost/ } })
  const name = (await listCheckpoints(other)).at(-1) ?? ''
  t.equal(name, '000002')
  const from = join(checkpointsOf(other), name)
  rewindFiles(other, (await readState(from)).files)
  t.equal((await run(other, -1, from)).status, 'completed')
  t.strictSame(compare(whole, other), [])
})

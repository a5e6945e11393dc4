import { type Config, operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Completion, Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { combined, neededReward } from '../reward/reward-marks.ts'
import { collect, type Member } from '../stream/collect.ts'
import { advantagesOf, estimatorFields, standardSum } from './estimators.ts'
import { normals } from './normals.ts'
import { rewardOf } from './reward-of.ts'

const fields = {
  ...estimatorFields,
  missing: {
    type: 'string',
    enum: ['error', 'leave-out'],
    default: 'error',
    description:
      'What happens if no reward applies to a completion. error: the run stops. leave-out: the completion counts in no mean, and its advantage is 0.',
  },
  noise: {
    type: 'number',
    minimum: 0,
    default: 0.02,
    description:
      'Standard deviation of the noise added to each advantage, so that a group of equal rewards still gives a gradient.',
  },
  groupsPerBatch: {
    type: 'integer',
    minimum: 1,
    default: 1,
    description: 'Groups in a batch; they wait until the batch is complete.',
  },
} as const

export default operator({
  summary: 'Sets the advantage of each completion: (reward − mean of its group) / standard deviation.',
  config: fields,
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: ({ rewards }) => ({
    needs:
      rewards.length > 0
        ? rewards.map((name, i) => neededReward(name, 'rewards', String(i)))
        : [neededReward(combined)],
  }),
  drops: false,
  credits: ({ groupsPerBatch }) => groupsPerBatch,
  collects: ({ groupsPerBatch }) => groupsPerBatch,
  run: ({ groups }, config, context) => ({
    groups: groups.pipe(
      collect<Group>(config.groupsPerBatch),
      context.each(batch => {
        const advantages = advantagesByCompletion(batch, config)
        return batch.map(member => {
          return context.emit(withAdvantages(member, advantages, config.noise), { key: member.key })
        })
      }),
    ),
  }),
})

/** Advantages of the completions that count. The map lacks those that do not, and a completion that is alone in its group. */
function advantagesByCompletion(
  batch: readonly Member<Group>[],
  config: Config<typeof fields>,
): Map<Completion, number> {
  const isLeftOut = ({ reward, rewards }: Completion) =>
    config.rewards.length === 0
      ? reward === undefined
      : config.rewards.some(name => typeof rewards?.[name] !== 'number')
  const counted = batch
    .map(({ value: { completions }, key }) => {
      const leaves = config.missing === 'leave-out'
      return { key, completions: leaves ? completions.filter(one => !isLeftOut(one)) : completions, leaves }
    })
    .filter(({ completions, leaves }) => !leaves || completions.length > 1)
  const measured = counted.map(({ completions, key }) => {
    return { rewards: rewardsOf(completions, key, config), lengths: completions.map(({ ids }) => ids.length) }
  })
  const advantages = measured.length > 0 ? advantagesOf(measured, config) : []
  return new Map(
    counted.flatMap(({ completions }, g) =>
      completions.map((completion, i) => [completion, at(at(advantages, g), i)] as const),
    ),
  )
}

function withAdvantages(
  { value, seed }: Member<Group>,
  advantages: ReadonlyMap<Completion, number>,
  noise: number,
): Group {
  const draws = noise > 0 ? normals(seed, value.completions.length) : undefined
  const completions = value.completions.map((completion, i) => {
    const advantage = advantages.get(completion)
    if (advantage === undefined || !draws) return { ...completion, advantage: advantage ?? 0 }
    return { ...completion, advantage: advantage + noise * at(draws, i) }
  })
  return { ...value, completions }
}

function rewardsOf(
  completions: readonly Completion[],
  key: string,
  { rewards: names, weights, epsilon, deviation }: Config<typeof fields>,
): number[] {
  if (names.length === 0) return completions.map(completion => rewardOf(completion, '', key, orLeaveOut))
  const named = (name: string) => (completion: Completion) => rewardOf(completion, name, key, orLeaveOut)
  const columns = names.map(name => completions.map(named(name)))
  return standardSum(
    columns,
    names.map((_, k) => weights[k] ?? 1),
    epsilon,
    deviation,
  )
}

const orLeaveOut = ', or --set missing=leave-out'

import { type Config, operator } from '../../engine/operator.ts'
import type { Completion, Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { collect, type Member } from './collect.ts'
import { advantagesOf, estimatorFields, standardSum } from './estimators.ts'
import { GroupError } from './group-error.ts'
import { normals } from './normals.ts'

const fields = {
  ...estimatorFields,
  noise: {
    type: 'number',
    minimum: 0,
    default: 0.02,
    description:
      'Standard deviation of the noise added to each advantage, so that a group of equal rewards still counts.',
  },
  groupsPerBatch: {
    type: 'integer',
    minimum: 1,
    default: 1,
    description: 'Groups that are held until all are there, and make up a batch.',
  },
} as const

export default operator({
  summary: "Measures each completion's reward against the mean of its group, in standard deviations.",
  config: fields,
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  credits: ({ groupsPerBatch }) => groupsPerBatch,
  collects: ({ groupsPerBatch }) => groupsPerBatch,
  run: ({ groups }, config, context) => ({
    groups: groups.pipe(
      collect<Group>(config.groupsPerBatch),
      context.each(batch => {
        const rewarded = batch.map(({ value, key }) => {
          return { rewards: rewardsOf(value, key, config), lengths: value.completions.map(c => c.ids.length) }
        })
        const advantages = advantagesOf(rewarded, config)
        return batch.map((member, g) => {
          return context.emit(withAdvantages(member, advantages[g], config.noise), { key: member.key })
        })
      }),
    ),
  }),
})

function withAdvantages({ value, seed }: Member<Group>, advantages: readonly number[], noise: number): Group {
  const draws = normals(seed, noise > 0 ? advantages.length : 0)
  const completions = value.completions.map((completion, i) => {
    return { ...completion, advantage: advantages[i] + noise * (draws[i] ?? 0) }
  })
  return { ...value, completions }
}

function rewardsOf(
  { completions }: Group,
  key: string,
  { rewards: names, weights, epsilon }: Config<typeof fields>,
): number[] {
  if (names.length === 0) return completions.map(completion => known(completion.reward, key, 'reward'))
  const named = (name: string) => (completion: Completion) =>
    known(completion.rewards?.[name], key, `reward "${name}"`)
  const columns = names.map(name => completions.map(named(name)))
  return standardSum(
    columns,
    names.map((_, k) => weights[k] ?? 1),
    epsilon,
  )
}

function known(value: number | null | undefined, key: string, name: string): number {
  if (typeof value === 'number') return value
  throw new GroupError(
    'missing-reward',
    `sample ${key}: a completion has no ${name}; put a reward operator before this node`,
  )
}

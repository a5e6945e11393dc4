import type { Completion, Group } from '../kinds.ts'
import type { BatchMetrics } from './alarms.ts'
import { groupStatistics } from './estimators.ts'

/** What the metrics are of: a group without its prompt. */
export type MeasuredGroup = Pick<Group, 'completions' | 'droppedBefore'>

/** Rewards and lengths of an update's groups as `metrics.jsonl` names them; the longer names are those of TRL. */
export function groupMetrics(groups: readonly MeasuredGroup[]): Record<string, number> & BatchMetrics {
  const completions = groups.flatMap(group => group.completions)
  const average = (of: (completion: Completion) => number) => mean(completions.map(of))
  const deviations = groups.map(group => deviationOf(group.completions))
  const names = new Set(completions.flatMap(completion => Object.keys(completion.rewards ?? {})))
  const means = [...names].flatMap(name => {
    const applicable = completions.map(c => c.rewards?.[name]).filter(value => value !== null)
    // one that is nowhere a number has no mean
    return applicable.length === 0
      ? []
      : [[`rewards/${name}`, mean(applicable.map(value => value ?? 0))] as const]
  })
  const lengths = completions.map(completion => completion.ids.length)
  const terminated = completions.filter(completion => completion.finished)
  const truncated = average(completion => Number(!completion.finished))
  return {
    reward: mean(completions.flatMap(rewardOf)),
    reward_std: mean(deviations),
    ...Object.fromEntries(means),
    frac_reward_zero_std: mean(deviations.map(deviation => Number(deviation < 1e-8))),
    truncated,
    completion_length: mean(lengths),
    'completions/mean_length': mean(lengths),
    'completions/min_length': Math.min(...lengths),
    'completions/max_length': Math.max(...lengths),
    'completions/mean_terminated_length': mean(terminated.map(completion => completion.ids.length)),
    'completions/clipped_ratio': truncated,
    ...droppedOf(groups),
  }
}

/** Their names, where these rewards are on the completions. */
export const groupMetricNames = (rewards: readonly string[]): string[] => [
  'reward',
  'reward_std',
  ...rewards.map(name => `rewards/${name}`),
  'frac_reward_zero_std',
  'truncated',
  'completion_length',
  'completions/mean_length',
  'completions/min_length',
  'completions/max_length',
  'completions/mean_terminated_length',
  'completions/clipped_ratio',
  'dropped_groups',
]

/** Groups that a filter dropped before these; absent without a filter. */
function droppedOf(groups: readonly MeasuredGroup[]): Record<string, number> {
  const counts = groups.flatMap(({ droppedBefore }) => droppedBefore ?? [])
  return counts.length === 0 ? {} : { dropped_groups: counts.reduce((sum, count) => sum + count, 0) }
}

/** Seconds that generation of the groups took, and tokens per second. */
export function generationPace(groups: readonly Group[]): Record<string, number> {
  const seconds = groups.reduce((sum, group) => sum + group.generateSeconds, 0)
  const tokens = groups.flatMap(group => group.completions).reduce((sum, { ids }) => sum + ids.length, 0)
  return { generate_seconds: seconds, tokens_per_second: tokens / Math.max(seconds, 1e-9) }
}

/** The lines of `samples.jsonl` about the completions of a group. */
export function sampleRecords({ prompt, completions }: Group): Record<string, unknown>[] {
  const { question, solution, video, fields } = prompt.sample
  // A picture of the frames, if video.sample has saved one.
  const frames = typeof fields.frames === 'string' ? { frames: fields.frames } : {}
  return completions.map(({ text, ids, finished, rewards, reward, advantage }, index) => {
    const tokens = ids.length
    return { index, video, question, solution, text, tokens, finished, rewards, reward, advantage, ...frames }
  })
}

/** 0 for a group of one completion. */
const deviationOf = (completions: readonly Completion[]) => {
  const rewards = completions.flatMap(rewardOf)
  return rewards.length < 2 ? 0 : groupStatistics(rewards).standardDeviation
}

/** Empty for a completion that no reward applies to. */
const rewardOf = ({ reward }: Completion): number[] => (reward === undefined ? [] : [reward])

/** 0 for an empty list. */
const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1)

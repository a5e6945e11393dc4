import type { Group } from '../kinds.ts'
import { groupStatistics } from './estimators.ts'

/** The group's rewards as `metrics.jsonl` names them. */
export function rewardMetrics({ completions }: Group): Record<string, number> {
  const { mean, standardDeviation } = groupStatistics(completions.map(completion => completion.reward ?? 0))
  const names = new Set(completions.flatMap(completion => Object.keys(completion.rewards ?? {})))
  const average = (of: (completion: Group['completions'][number]) => number) =>
    completions.reduce((sum, completion) => sum + of(completion), 0) / completions.length
  const means = [...names].map(name => [`rewards/${name}`, average(c => c.rewards?.[name] ?? 0)] as const)
  return {
    reward: mean,
    reward_std: standardDeviation,
    ...Object.fromEntries(means),
    truncated: average(completion => Number(!completion.finished)),
  }
}

/** What `samples.jsonl` keeps of each completion. */
export function sampleRecords({ prompt, completions }: Group): Record<string, unknown>[] {
  const { question, solution, video } = prompt.sample
  return completions.map(({ text, ids, finished, rewards, reward, advantage }, index) => {
    const tokens = ids.length
    return { index, video, question, solution, text, tokens, finished, rewards, reward, advantage }
  })
}

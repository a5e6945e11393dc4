import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'

/** Each group adds a line to `metrics.jsonl` with the means over all groups so far, so the last line is the result. */
export default operator({
  summary: 'Reports the mean of each reward over all completions that arrive.',
  config: {
    name: { type: 'string', description: 'Prefix of the names of the rewards in the metrics.' },
  },
  inputs: { groups: groupPort },
  outputs: {},
  effects: true,
  metrics: ({ name }, rewards) => rewards.map(reward => `${name}/${reward}`),
  run: ({ groups }, { name }, context) => {
    const sums = new Map<string, number>()
    let count = 0
    const add = ({ completions, prompt }: Group, { key }: { key: string }) => {
      for (const { rewards = {}, text } of completions) {
        count++
        for (const [reward, value] of Object.entries(rewards))
          sums.set(reward, (sums.get(reward) ?? 0) + (value ?? 0))
        context.record('samples', { key, control: name, text, solution: prompt.sample.solution, rewards })
      }
      const means = [...sums].map(([reward, sum]) => [`${name}/${reward}`, sum / count] as const)
      context.record('metrics', { step: count, ...Object.fromEntries(means) })
      return undefined
    }
    return { reported: groups.pipe(context.each(add)) }
  },
})

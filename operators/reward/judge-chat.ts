import { operator } from '../../engine/operator.ts'
import { askingFields, persistently } from '../judge/asking.ts'
import { chatFaults, chatFields, chatWith } from '../judge/chat-endpoint.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { askField, filled, firstNumber } from './judge-number.ts'
import { weightField } from './reward.ts'
import { weighted } from './reward-marks.ts'
import { withWeighted } from './with-reward.ts'

/**
 * The first number that the judge says is the reward; a completion about which it says none gets null. The node's
 * `onError` decides what happens when the judge does not answer. What it says is in `judge.jsonl`.
 */
export default operator({
  summary:
    'Lets a model behind a chat endpoint, as OpenAI defines it, score the completions of each group: a named reward, added to the combined one.',
  config: {
    ...chatFields,
    name: { type: 'string', default: 'judge', description: 'Name of the reward.' },
    weight: weightField,
    ask: askField,
    ...askingFields,
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', like: 'groups' } },
  marks: ({ name, weight }) => weighted(name, weight),
  drops: false,
  inspect: chatFaults,
  run: ({ groups }, config, context) => {
    const { name, weight, ask, concurrency, deadlineSeconds } = config
    const { signal } = context
    const chat = chatWith(config)
    const persist = persistently(config, signal)
    const score = async (group: Group, { key }: { key: string }) => {
      const source = `reward "${name}" of sample ${key}`
      const said = await Promise.all(
        group.completions.map(completion => {
          const messages = [{ role: 'user', content: filled(ask, group, completion) }]
          return persist(() => chat(messages, { source, signal, deadlineSeconds }))
        }),
      )
      const rewards = said.map(firstNumber)
      for (const [i, reward] of rewards.entries())
        context.record('judge', { key, index: i, said: said[i], reward })
      return withWeighted(group, name, weight, rewards, key)
    }
    return { groups: groups.pipe(context.each(score, { concurrency })) }
  },
})

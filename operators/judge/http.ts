import { operator } from '../../engine/operator.ts'
import { isObject, withoutMark } from '../../engine/shared/json.ts'
import { lookAtAddress } from '../address-fault.ts'
import { digestOf } from '../question-digests.ts'
import { asked, askingFields, persistently } from './asking.ts'
import { JudgeError } from './judge-error.ts'
import { judging } from './judging.ts'

/** Requests and responses are those of `reward.http`: an endpoint can judge answers and reward completions alike. */
export default operator({
  summary: 'Lets an HTTP endpoint, as for reward.http, judge each open answer with a number from 0 to 1.',
  config: {
    url: { type: 'string', description: 'Where answers are posted to.' },
    key: {
      type: 'string',
      default: '',
      description: 'Sent as a bearer token, from a param with `env`; empty where none is needed.',
    },
    model: {
      type: 'string',
      default: '',
      description: 'Name of the judge: with another one answers are judged again.',
    },
    ...askingFields,
  },
  inputs: { answers: 'answer' },
  outputs: { answers: 'answer' },
  drops: false,
  inspect: ({ url }, known) => lookAtAddress(url, known),
  run: ({ answers }, { url, key, model, concurrency, ...limits }, context) => {
    if (!URL.canParse(url))
      throw new JudgeError('bad-judge', 'judge=http: must be told an address: set judgeUrl')
    const { signal } = context
    const headers = key === '' ? {} : { authorization: `Bearer ${key}` }
    const options = {
      headers,
      hidden: key,
      signal,
      timeoutSeconds: limits.deadlineSeconds,
      limits: 'silence' as const,
    }
    const persist = persistently({ ...limits, concurrency }, signal)
    return {
      answers: answers.pipe(
        judging(
          {
            identity: async () => ['judge.http', model, digestOf(url)],
            ask: ({ video, question, fields, reply }, _, answer) => {
              const source = `judge of ${fields.id}`
              const completions = [
                { text: answer, tokens: reply?.tokens ?? 0, finished: reply?.finished ?? true },
              ]
              const body = JSON.stringify({
                key: fields.id,
                video,
                question,
                solution: fields.answer,
                fields,
                completions,
              })
              return persist(async () => {
                return textOf((await asked(url, body, { ...options, source })).text)
              })
            },
            concurrency,
            mayDiffer: true,
          },
          context,
        ),
      ),
    }
  },
})

/** Its reward as a verdict; what is no reward stays as it is, and is no verdict. */
function textOf(answer: string): string {
  try {
    const value: unknown = JSON.parse(withoutMark(answer))
    const [score]: unknown[] = isObject(value) && Array.isArray(value.rewards) ? value.rewards : []
    if (typeof score === 'number') return JSON.stringify({ score })
  } catch {
    // shown as it is
  }
  return `no reward: ${answer.slice(0, 1000)}`
}

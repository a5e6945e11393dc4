import { operator } from '../../engine/operator.ts'
import { askingFields, persistently } from './asking.ts'
import { chatFaults, chatFields, chatWith } from './chat-endpoint.ts'
import { JudgeError } from './judge-error.ts'
import { judging } from './judging.ts'
import { messagesFor } from './wording.ts'

const { request: requestField, ...endpointFields } = chatFields

/**
 * The text is read whole or as a stream of events. A response that breaks off is asked for again, and never read as a
 * verdict. The key is in no file of the run if it comes from the environment, and in none of the results.
 */
export default operator({
  summary: 'Lets a model behind a chat endpoint, as OpenAI defines it, judge each open answer.',
  config: {
    ...endpointFields,
    instruction: {
      type: 'string',
      default: '',
      description: "What the judge is told to do; empty for the official rules of the question's benchmark.",
    },
    request: requestField,
    ...askingFields,
  },
  inputs: { answers: 'answer' },
  outputs: { answers: 'answer' },
  drops: false,
  inspect: chatFaults,
  run: ({ answers }, { instruction, concurrency, deadlineSeconds, ...config }, context) => {
    const { model, request } = config
    if (model === '') throw new JudgeError('bad-judge', 'judge=chat: must be told the model: set judgeModel')
    const { signal } = context
    const chat = chatWith(config)
    const persist = persistently({ ...config, concurrency }, signal)
    return {
      answers: answers.pipe(
        judging(
          {
            identity: async () => ['judge.chat', model, instruction, request],
            ask: (question, open, answer) => {
              const source = `judge of ${question.fields.id}`
              const messages = messagesFor(question, open, answer, instruction)
              return persist(() => chat(messages, { source, signal, deadlineSeconds }))
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

import { operator } from '../../engine/operator.ts'
import { writeCompletions } from '../../kernels/networks/generation/batch-writer.ts'
import type { LoadedModel } from '../model/checkpoint/load-model.ts'
import { modelDigests } from '../model/digests.ts'
import { answerMemory } from '../model/sizes.ts'
import { renderPrompt, templateField, templateFor } from '../text/template.ts'
import { tokenize } from '../text/tokenize.ts'
import { JudgeError } from './judge-error.ts'
import { judging } from './judging.ts'
import { refuseUnused, unusedFields } from './unused.ts'
import { messagesFor } from './wording.ts'

const sampling = { greedy: true, temperature: 1, topK: 50, topP: 1 }

/** The model reads text alone. It takes the most likely token each time, so the same answer gets the same verdict. */
export default operator({
  summary: 'Lets a local model judge each open answer.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that judges.' },
    instruction: {
      type: 'string',
      default: '',
      description: "What the judge is told to do; empty for the official rules of the question's benchmark.",
    },
    maxNewTokens: {
      type: 'integer',
      minimum: 1,
      default: 512,
      description: 'Tokens after which its text is cut.',
    },
    template: templateField,
    ...unusedFields,
  },
  inputs: { answers: 'answer' },
  outputs: { answers: 'answer' },
  drops: false,
  memory: ({ model, maxNewTokens: length }, { outline }) =>
    answerMemory(outline(model), { questions: 1, frames: 1, length }, sampling, 0),
  run: ({ answers }, { model: name, instruction, maxNewTokens, template, url, key }, context) => {
    refuseUnused({ url, key }, 'model')
    const { signal } = context
    return {
      answers: answers.pipe(
        judging(
          {
            identity: async () => {
              const part = context.parts.find(
                one => one.kind === 'resource' && isNamed(one, name, context.node),
              )
              const { precision } = context.resource<LoadedModel>(name)
              const digests = part ? await modelDigests(part.config, precision) : [name]
              return ['judge.model', digests, instruction, maxNewTokens, template]
            },
            ask: async (question, open, answer) => {
              const model = context.resource<LoadedModel>(name)
              const messages = messagesFor(question, open, answer, instruction)
              const words = messages.map(({ content }) => content.replaceAll('<image>', '')).join('\n\n')
              const ids = tokenize(model.tokenizer, renderPrompt(templateFor(model, template), words))
              if (ids.length > model.maxLength)
                throw new JudgeError(
                  'rejected',
                  `judge of ${question.fields.id}: ${ids.length} tokens, more than the ${model.maxLength} that the model reads`,
                )
              const limits = { maxNewTokens, endIds: model.config.eosIds, signal }
              const [[written] = []] = await writeCompletions(model, [{ ids, seeds: [0] }], sampling, limits)
              signal.throwIfAborted()
              return model.tokenizer.decode(written?.ids ?? [])
            },
            concurrency: 1,
            mayDiffer: false,
          },
          context,
        ),
      ),
    }
  },
})

/** A node knows a resource by its name in the same sub-graph. */
const isNamed = ({ name, scope }: { name: string; scope: string }, wanted: string, node: string): boolean =>
  name.slice(scope.length) === wanted && node.startsWith(scope)

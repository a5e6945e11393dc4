import { operator } from '../../engine/operator.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import type { Prompt } from '../kinds.ts'
import { strip } from '../text/python.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { drawingFields } from './drawing-fields.ts'
import { completionSeeds } from './seeds.ts'

/** It ends at the end of text, the keyword that the published inference stops at. The answer is recorded too. */
export default operator({
  summary: 'Answers each prompt and shows the answer token by token on standard output.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that answers.' },
    maxNewTokens: {
      type: 'integer',
      minimum: 1,
      default: 512,
      description: 'Tokens after which an answer is cut.',
    },
    greedy: {
      type: 'boolean',
      default: true,
      description: 'Take the most likely token each time instead of drawing.',
    },
    ...drawingFields,
  },
  inputs: { prompts: 'prompt' },
  outputs: {},
  run: ({ prompts }, { model: name, maxNewTokens, ...sampling }, context) => ({
    answered: prompts.pipe(
      context.each(async (prompt: Prompt, { seed }) => {
        const model = context.resource<LoadedModel>(name)
        const { eosIds } = model.config
        const textOf = (ids: readonly number[]) => model.tokenizer.decode([...ids])
        const show = shower(text => process.stdout.write(text))
        const [[ids = []] = []] = await generate(
          model,
          [{ ...prompt, seeds: completionSeeds(seed, 1) }],
          sampling,
          { maxNewTokens, endIds: eosIds, signal: context.signal, onTokens: ids => show(textOf(ids)) },
        )
        const text = textOf(ids)
        show(text, true)
        const finished = eosIds.includes(ids[ids.length - 1] ?? -1)
        const { video, question } = prompt.sample
        context.record('answers', { video, question, answer: strip(text), tokens: ids.length, finished })
        return undefined
      }),
    ),
  }),
})

/** Writes what is new in a growing text; a character whose bytes have not all come waits. */
export function shower(write: (text: string) => void): (text: string, isWhole?: boolean) => void {
  let shown = 0
  return (text, isWhole = false) => {
    const ready = isWhole ? text : text.replace(/\uFFFD+$/, '')
    if (ready.length > shown) write(ready.slice(shown))
    shown = Math.max(shown, ready.length)
    if (isWhole) write('\n')
  }
}

import { operator } from '../../engine/operator.ts'
import { processes } from '../../engine/platform/processes.ts'
import { visible } from '../../engine/shared/visible.ts'
import { generate } from '../../kernels/networks/generation/batch-writer.ts'
import type { Prompt } from '../kinds.ts'
import { strip } from '../text/python.ts'
import type { LoadedModel } from './checkpoint/load-model.ts'
import { drawingFields } from './drawing-fields.ts'
import { lengthFault } from './length-fault.ts'
import { completionSeeds } from './seeds.ts'
import { answerMemory } from './sizes.ts'

/** An answer ends at the end-of-text token, as in the published inference. It is also recorded in `answers.jsonl`. */
export default operator({
  summary: 'Answers each prompt and prints the answer on standard output, token by token.',
  config: {
    model: { type: 'string', resource: 'model', description: 'The model that answers.' },
    maxNewTokens: {
      type: 'integer',
      minimum: 1,
      default: 512,
      description: 'Largest number of tokens in an answer.',
    },
    greedy: {
      type: 'boolean',
      default: true,
      description: 'Take the most likely token each time instead of drawing one.',
    },
    ...drawingFields,
  },
  inputs: { prompts: 'prompt' },
  outputs: {},
  memory: ({ model, maxNewTokens: length, ...sampling }, { outline, dims }) =>
    answerMemory(outline(model), { questions: 1, frames: dims.F, length }, sampling, 0),
  inspect: async ({ model, maxNewTokens }, known) => lengthFault(model, maxNewTokens, known),
  run: ({ prompts }, { model: name, maxNewTokens, ...sampling }, context) => ({
    answered: prompts.pipe(
      context.each(async (prompt: Prompt, { seed }) => {
        const model = context.resource<LoadedModel>(name)
        const { eosIds } = model.config
        const textOf = (ids: readonly number[]) => model.tokenizer.decode([...ids])
        const show = shower(text => processes.print(visible(text)))
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

/** Writes the new end of a growing text; a character waits until all its bytes have arrived. */
export function shower(write: (text: string) => void): (text: string, isWhole?: boolean) => void {
  let shown = 0
  return (text, isWhole = false) => {
    const ready = isWhole ? text : text.replace(/\uFFFD+$/, '')
    if (ready.length > shown) write(ready.slice(shown))
    shown = Math.max(shown, ready.length)
    if (isWhole) write('\n')
  }
}

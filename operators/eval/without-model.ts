import type { OperatorFunction } from 'rxjs'
import type { Context, Emission, Item } from '../../engine/operator.ts'
import type { Question } from '../read/benchmark-kinds.ts'
import { renderPrompt, templates } from '../text/template.ts'
import type { Answer, Watched } from './kinds.ts'

/** Answers every pending question of a clip with what `say` says about it, in place of a model. */
export function answering(
  context: Context,
  say: (question: Question) => string,
): OperatorFunction<Item<Watched>, Item<Answer>> {
  return context.each((clip: Watched): Emission<Answer>[] => {
    const asked = clip.questions.filter(({ sample }) => clip.pending.includes(sample.fields.id))
    return asked.map(({ sample, text, indices, framesPerSecond, sheet }, i) => {
      const reply = { text: say(sample), tokens: 0, finished: true }
      const prompt = renderPrompt(templates.qwen2_base, `<image>\n${text}`)
      const about = { prompt, indices, framesPerSecond, ...(sheet !== undefined && { sheet }) }
      const answer = { question: sample, asked: about, reply, seconds: i === 0 ? clip.seconds : {} }
      return context.emit<Answer>(answer, { key: sample.fields.id })
    })
  })
}

import type { OperatorFunction } from 'rxjs'
import type { Context, Emission, Item } from '../../engine/operator.ts'
import type { Question } from '../question.ts'
import { renderPrompt, templates } from '../text/template.ts'
import { pendingOf, type WatchedClip } from './clip-questions.ts'

/** Answers every pending question of a clip with what `say` says about it, in place of a model. */
export function answering(
  context: Context,
  say: (question: Question) => string,
): OperatorFunction<Item<WatchedClip>, Item<Question>> {
  return context.each(({ questions }: WatchedClip): Emission<Question>[] =>
    pendingOf(questions).flatMap(question => {
      const prompt = renderPrompt(templates.qwen2_base, `<image>\n${question.shown.text}`)
      const reply = { text: say(question), tokens: 0, finished: true }
      return (question.repeats ?? [0]).map(repeat =>
        context.emit<Question>({ ...question, repeat, prompt, reply }, { key: question.fields.id }),
      )
    }),
  )
}

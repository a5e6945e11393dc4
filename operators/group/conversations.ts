import { operator } from '../../engine/operator.ts'
import type { Group, Sample } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { questionText, wordingFields } from '../text/prompt.ts'
import { imageMarker } from '../text/template.ts'

/** What sft.encode learns from and, written with write.jsonl, what read.conversations reads. */
export default operator({
  summary: 'Makes a conversation of each completion, its question with its text, to learn from.',
  config: wordingFields,
  inputs: { groups: groupPort },
  outputs: { samples: 'sample' },
  expands: true,
  drops: false,
  run: ({ groups }, wording, context) => ({
    samples: groups.pipe(
      context.each(
        ({ prompt: { sample }, completions }: Group, { key }) =>
          completions.map(({ text }, i) => {
            const asked = `${imageMarker}\n${questionText(sample.question, wording)}`
            const conversations = [
              { from: 'human', value: asked },
              { from: 'gpt', value: text },
            ]
            const learned: Sample = { ...sample, conversations }
            return context.emit(learned, { key: `${key}/${i}` })
          }),
        { keep: false },
      ),
    ),
  }),
})

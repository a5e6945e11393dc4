import type { Config, Fields } from '../../engine/operator.ts'
import type { ShownClip } from './smolvlm-frames.ts'
import { imageMarker, renderPrompt, type Template } from './template.ts'
import { type TextEncoder, tokenize } from './tokenize.ts'

/** The instruction that the published training puts after each question, joined by one space. */
export const thinkThenAnswer =
  'Output the thinking process in <think> </think> and final answer (option) in <answer> </answer> tags.'

/** Config of operators that ask a question: what follows it. */
export const wordingFields = {
  instruction: {
    type: 'string',
    default: thinkThenAnswer,
    description: 'Text after the question that says how to answer.',
  },
  joint: { type: 'string', default: ' ', description: 'Text between the question and the instruction.' },
} as const satisfies Fields

export type Wording = Config<typeof wordingFields>

/** The question with its instruction; `joint` is put between them. A question that ends with it keeps the one that it has. */
export const questionText = (question: string, { instruction, joint }: Wording): string =>
  question.endsWith(instruction) ? question : `${question}${joint}${instruction}`

/** The text and ids of a question about a clip, of which some frames are shown. */
export function promptOf(
  tokenizer: TextEncoder,
  template: Template,
  question: string,
  wording: Wording,
  clip?: ShownClip,
): { text: string; ids: number[] } {
  const text = renderPrompt(template, `${imageMarker}\n${questionText(question, wording)}`, clip)
  return { text, ids: tokenize(tokenizer, text) }
}

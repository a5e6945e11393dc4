import { renderPrompt, type Template } from './template.ts'
import { type TextEncoder, tokenize } from './tokenize.ts'

/** The instruction that the published training puts after each question, joined by one space. */
export const thinkThenAnswer =
  'Output the thinking process in <think> </think> and final answer (option) in <answer> </answer> tags.'

/** The text and ids of a question about a clip; `joint` is put between the question and the instruction. */
export function promptOf(
  tokenizer: TextEncoder,
  template: Template,
  question: string,
  { instruction, joint }: { instruction: string; joint: string },
): { text: string; ids: number[] } {
  const text = renderPrompt(template, `<image>\n${question}${instruction && joint + instruction}`)
  return { text, ids: tokenize(tokenizer, text) }
}

import { renderPrompt, type Template } from './template.ts'
import { type TextEncoder, tokenize } from './tokenize.ts'

/** What the published training asks of the model after each question, joined to it by one space. */
export const thinkThenAnswer =
  'Output the thinking process in <think> </think> and final answer (option) in <answer> </answer> tags.'

/** The text and ids of a question about a clip; `joint` stands between the question and the instruction. */
export function promptOf(
  tokenizer: TextEncoder,
  template: Template,
  question: string,
  { instruction, joint }: { instruction: string; joint: string },
): { text: string; ids: number[] } {
  const text = renderPrompt(template, `<image>\n${question}${instruction && joint + instruction}`)
  return { text, ids: tokenize(tokenizer, text) }
}

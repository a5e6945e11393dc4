import t from 'tap'
import { renderConversation, renderPrompt, templates } from '../../../operators/text/template.ts'
import { tokenizeWithLabels } from '../../../operators/text/tokenize.ts'

/** One id for each character, so that pieces add up. */
const characters = { encode: (text: string) => Array.from(text, one => one.codePointAt(0) ?? 0) }
const clip = { seconds: [0, 2], durationSeconds: 3 }

t.test('frames are counted from 1, before the question', async t => {
  const question =
    '<|im_start|>user\nFrame1: <img><image></img>\nFrame2: <img><image></img>\nWhat moves?<|im_end|>\n<|im_start|>assistant\n'
  t.equal(renderPrompt(templates.internvl, '<image>\nWhat moves?', clip), question)
  const before = renderPrompt(templates.internvl_chat, '<image>\nWhat moves?', clip)
  t.match(before, /^<\|im_start\|>system\n你是书生·万象.*大语言模型。<\|im_end\|>\n/)
  t.ok(before.endsWith(question))
})

t.test('only answers are learnt, each with its end', async t => {
  const messages = [
    { from: 'human', value: '<image>\nOne?' },
    { from: 'gpt', value: 'First' },
    { from: 'human', value: 'Two?' },
    { from: 'gpt', value: 'Second' },
  ]
  const text = renderConversation(templates.internvl, messages, clip)
  const { ids, labels } = tokenizeWithLabels(characters, templates.internvl, text, 'k')
  t.equal(ids.length, labels.length)
  t.equal(String.fromCodePoint(...labels.filter(label => label >= 0)), 'First<|im_end|>Second<|im_end|>')
  t.equal(ids.filter(id => id === -200).length, 2, 'a place for each frame')
})

t.test('the cue of a prompt is how an answer begins, without a last space', async t => {
  const ends = {
    qwen2_base: 'Hi ASSISTANT:',
    pretrain: '<image>',
    smolvlm: '<end_of_utterance>\nAssistant:',
  } as const
  for (const [name, end] of Object.entries(ends) as [keyof typeof ends, string][])
    t.ok(renderPrompt(templates[name], 'Hi').endsWith(end), renderPrompt(templates[name], 'Hi'))
})

import t from 'tap'
import { inWords, smolVlmFrames } from '../../../operators/text/smolvlm-frames.ts'
import { renderConversation, renderPrompt, templates } from '../../../operators/text/template.ts'
import { tokenizeWithLabels } from '../../../operators/text/tokenize.ts'

/** One id for each character, so that pieces add up. */
const characters = { encode: (text: string) => Array.from(text, one => one.codePointAt(0) ?? 0) }

const frame = '<fake_token_around_image><global-img><image><fake_token_around_image>'

t.test('a clip is worded as the processor of transformers words it', async t => {
  t.equal(
    smolVlmFrames({ seconds: [0, 59.9, 3600], durationSeconds: 3725.5 }),
    'You are provided the following series of three frames from a 1:02:05 [H:MM:SS] video.\n' +
      `\nFrame from 00:00:${frame}\nFrame from 00:59:${frame}\nFrame from 60:00:${frame}\n\n`,
  )
})

t.test('numbers are written as num2words writes them', async t => {
  const cases = { 0: 'zero', 13: 'thirteen', 20: 'twenty', 64: 'sixty-four', 100: 'one hundred' }
  for (const [value, words] of Object.entries(cases)) t.equal(inWords(Number(value)), words)
  t.equal(inWords(128), 'one hundred and twenty-eight')
  t.equal(inWords(1001), 'one thousand and one')
  t.equal(inWords(1234), 'one thousand, two hundred and thirty-four')
})

t.test('a prompt has the frames before the question and ends with the cue', async t => {
  const clip = { seconds: [1], durationSeconds: 2 }
  t.equal(
    renderPrompt(templates.smolvlm, '<image>\nWhat moves?', clip),
    `<|im_start|>User: ${smolVlmFrames(clip)}What moves?<end_of_utterance>\nAssistant:`,
  )
})

t.test('only answers are learnt, each with its end', async t => {
  const clip = { seconds: [1, 2], durationSeconds: 3 }
  const messages = [
    { from: 'human', value: '<image>\nOne?' },
    { from: 'gpt', value: 'First' },
    { from: 'human', value: 'Two?' },
    { from: 'gpt', value: 'Second' },
  ]
  const text = renderConversation(templates.smolvlm, messages, clip)
  const { ids, labels } = tokenizeWithLabels(characters, templates.smolvlm, text, 'k')
  t.equal(ids.length, labels.length)
  const learnt = labels.filter(label => label >= 0)
  t.equal(String.fromCodePoint(...learnt), ' First<end_of_utterance> Second<end_of_utterance>')
  t.equal(ids.filter(id => id === -200).length, 2, 'a place for each frame')
})

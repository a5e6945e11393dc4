import t from 'tap'
import { renderConversation, renderPrompt, templates } from '../../../operators/text/template.ts'

const { qwen2_base: qwen, pretrain } = templates
const system = qwen.system

const human = (value: string) => ({ from: 'human', value })
const gpt = (value: string) => ({ from: 'gpt', value })

t.test('a question ends with the cue and no space after its colon', async t => {
  t.equal(renderPrompt(qwen, 'Why?'), `${system}USER: Why? ASSISTANT:`)
})

t.test('the image comes first wherever it was written, once, and the words are stripped', async t => {
  const expected = `${system}USER: <image>\nWhat is\n it? ASSISTANT:`
  for (const question of [
    '<image>\nWhat is\n it?',
    'What is<image>\n it?',
    '\x1f <image>What is\n it?<image>\n',
  ]) {
    t.equal(renderPrompt(qwen, question), expected, JSON.stringify(question))
  }
})

t.test('an image alone loses the line break after it', async t => {
  t.equal(renderPrompt(qwen, '<image>'), `${system}USER: <image> ASSISTANT:`)
})

t.test('a question without image is not stripped', async t => {
  t.equal(renderPrompt(qwen, ' a '), `${system}USER:  a  ASSISTANT:`)
})

t.test('rounds follow each other, each answer closed', async t => {
  const text = renderConversation(qwen, [human('<image>a'), gpt('b'), human('c'), gpt('d')])
  t.equal(text, `${system}USER: <image>\na ASSISTANT: b<|endoftext|>USER: c ASSISTANT: d<|endoftext|>`)
})

t.test('user and assistant are understood like human and gpt', async t => {
  const messages = [
    { from: 'user', value: 'a' },
    { from: 'assistant', value: 'b' },
  ]
  t.equal(renderConversation(qwen, messages), renderConversation(qwen, [human('a'), gpt('b')]))
})

t.test('a first message of another role is skipped; later roles do not matter', async t => {
  const messages = [{ from: 'system', value: 'x' }, gpt('a'), human('b')]
  t.equal(renderConversation(qwen, messages), renderConversation(qwen, [human('a'), gpt('b')]))
})

t.test('dollar signs and braces in messages stay as they are', async t => {
  t.equal(renderPrompt(qwen, "$& $' {content}"), `${system}USER: $& $' {content} ASSISTANT:`)
  const caption = renderConversation(pretrain, [human('q'), gpt('$1')])
  t.equal(caption, '<image>$1\n')
})

t.test('pretrain discards the question and ends with a line break', async t => {
  t.equal(renderConversation(pretrain, [human('Describe <image> it.'), gpt('A cat.')]), '<image>A cat.\n')
  t.equal(renderPrompt(pretrain, 'Describe it.'), '<image>')
})

t.test('an unbalanced conversation is an error that names the roles', async t => {
  t.throws(() => renderConversation(qwen, [human('a'), gpt('b'), human('c')]), {
    code: 'unbalanced-conversation',
    message: 'a conversation must have an answer for every question, got the roles (human, gpt, human)',
  })
  t.throws(() => renderConversation(qwen, []), { code: 'unbalanced-conversation' })
  t.throws(() => renderConversation(qwen, [{ from: 'bot', value: 'a' }, gpt('b')]), {
    message: /got the roles \(bot, gpt\); a first message that is not from human or user is skipped$/,
  })
})

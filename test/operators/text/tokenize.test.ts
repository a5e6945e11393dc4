import t from 'tap'
import { openTokenizer } from '../../../operators/model/checkpoint/tokenizer.ts'
import { promptOf, thinkThenAnswer } from '../../../operators/text/prompt.ts'
import { renderConversation, templates } from '../../../operators/text/template.ts'
import { tokenize, tokenizeWithLabels } from '../../../operators/text/tokenize.ts'
import { fixture } from '../../fixtures.ts'

const { qwen2_base: qwen, pretrain } = templates
const tokenizer = await openTokenizer(fixture('prompts'))
const endOfText = 397

const conversation = (...values: string[]) =>
  values.map((value, i) => ({ from: i % 2 === 0 ? 'human' : 'gpt', value }))

t.test('pieces around the image are encoded apart and joined by -200', async t => {
  t.strictSame(tokenize(tokenizer, 'a <image>\nb'), [
    ...tokenizer.encode('a '),
    -200,
    ...tokenizer.encode('\nb'),
  ])
  t.strictSame(tokenize(tokenizer, '<image>'), [-200])
  t.strictSame(tokenize(tokenizer, '<image><image>a'), [-200, -200, ...tokenizer.encode('a')])
  t.strictSame(tokenize(tokenizer, ''), [])
})

t.test('the answers and the ends of text of every round are learnt, nothing else', async t => {
  const text = renderConversation(qwen, conversation('<image>What?', 'A cat.', 'Sure?', 'Yes.'))
  const { ids, labels } = tokenizeWithLabels(tokenizer, qwen, text, 'k')
  t.equal(labels.length, ids.length)
  const learnt = [...tokenizer.encode(' A cat.'), endOfText, ...tokenizer.encode(' Yes.'), endOfText]
  t.strictSame(
    labels.filter(label => label !== -100),
    learnt,
  )
  t.ok(labels.every((label, i) => label === -100 || label === ids[i]))
})

t.test('an answer with the separator in it is an error with the key of the sample', async t => {
  const text = renderConversation(qwen, conversation('a', 'b ASSISTANT: c'))
  t.throws(() => tokenizeWithLabels(tokenizer, qwen, text, 'row 7'), {
    code: 'label-mismatch',
    message:
      /^sample row 7: labels need rounds of \d+ tokens in all, found 0; does a message contain " ASSISTANT: "/,
  })
})

t.test('rounds that tokenise differently alone are an error, not a silent mask', async t => {
  const text = renderConversation(qwen, conversation('a', 'b<|endoftext|>c'))
  t.throws(() => tokenizeWithLabels(tokenizer, qwen, text, 'k'), { code: 'label-mismatch' })
})

t.test('pretrain learns all but the visual slot and teaches no end of text', async t => {
  const text = renderConversation(pretrain, conversation('q', 'A cat.'))
  const { ids, labels } = tokenizeWithLabels(tokenizer, pretrain, text, 'k')
  t.strictSame(ids, [-200, ...tokenizer.encode('A cat.\n')])
  t.strictSame(labels, [-100, ...tokenizer.encode('A cat.\n')])
})

t.test('a task prompt joins question and instruction', async t => {
  const joined = promptOf(tokenizer, qwen, 'Which?\nA. x', { instruction: thinkThenAnswer, joint: ' ' })
  t.equal(joined.text, `${qwen.system}USER: <image>\nWhich?\nA. x ${thinkThenAnswer} ASSISTANT:`)
  t.strictSame(joined.ids, tokenize(tokenizer, joined.text))
  const bare = promptOf(tokenizer, qwen, 'Which?', { instruction: '', joint: '\n' })
  t.equal(bare.text, `${qwen.system}USER: <image>\nWhich? ASSISTANT:`)
})

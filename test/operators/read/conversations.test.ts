import t from 'tap'
import { parseConversations } from '../../../operators/read/conversations.ts'

const row = (changes: object = {}) => ({
  video: 'clips/1.mp4',
  id: 'x',
  conversations: [
    { from: 'human', value: '<image>\nWhat?' },
    { from: 'gpt', value: 'That.' },
  ],
  ...changes,
})

t.test('an array and lines hold the same samples, keyed by index and by line number', t => {
  const lines = `${JSON.stringify(row())}\n\n${JSON.stringify(row({ id: 'y' }))}\n`
  const fromLines = parseConversations('a.jsonl', lines, 'root')
  const fromArray = parseConversations(
    'a.json',
    `\n${JSON.stringify([row(), row({ id: 'y' })], null, 2)}`,
    'root',
  )
  t.strictSame(
    fromLines.map(({ value }) => value),
    fromArray.map(({ value }) => value),
  )
  t.strictSame(
    [...fromLines, ...fromArray].map(({ key }) => key),
    ['1', '3', '0', '1'],
  )
  t.match(fromArray[0]?.value, { video: 'root/clips/1.mp4', question: 'What?', fields: { id: 'x' } })
  t.end()
})

t.test('user and assistant ask and answer too', t => {
  const conversations = [
    { from: 'user', value: 'Is it? <image>' },
    { from: 'assistant', value: 'Yes.' },
  ]
  const [sample] = parseConversations('a', JSON.stringify([row({ conversations })]), '.')
  t.equal(sample.value.question, 'Is it?')
  t.strictSame(sample.value.conversations, conversations)
  t.end()
})

t.test('a picture is asked about as a clip is; the other column may be null', t => {
  const rows = [row({ video: undefined, image: 'cats/1.jpg' }), row({ video: null, image: 'cats/2.png' })]
  const samples = parseConversations('a', JSON.stringify([...rows, row({ image: null })]), 'root')
  t.same(
    samples.map(({ value }) => value.video),
    ['root/cats/1.jpg', 'root/cats/2.png', 'root/clips/1.mp4'],
  )
  t.notOk('image' in (samples[0]?.value.fields ?? {}))
  t.end()
})

for (const [name, text, message] of [
  ['a line that is not JSON', `${JSON.stringify(row())}\n{`, /^a:2: not JSON: /],
  ['a clip that is not named', JSON.stringify([row(), row({ video: 3 })]), /^a: row 2: video: .* found 3$/],
  [
    'a row without a clip or a picture',
    JSON.stringify([row({ video: undefined })]),
    /^a:1: video: must be text, it is missing$/,
  ],
  [
    'a row with a clip and a picture',
    JSON.stringify([row({ image: 'a.png' })]),
    /^a:1: image: must stand without "video"/,
  ],
  [
    'several pictures',
    JSON.stringify([row({ video: null, image: ['a.png', 'b.png'] })]),
    /^a:1: image: must be text, found \["a\.png","b\.png"\]$/,
  ],
  [
    'a clip outside the folder',
    JSON.stringify([row({ video: 'a/../../b.mp4' })]),
    /^a:1: video: must name a file inside \., the folder .*, found "a\/\.\.\/\.\.\/b\.mp4"$/,
  ],
  ['no message', JSON.stringify([row({ conversations: [] })]), /^a:1: conversations: .* found \[\]$/],
  [
    'a message without text',
    JSON.stringify([row({ conversations: [{ from: 'human' }] })]),
    /^a:1: conversations\[0\]\.value: must be text, it is missing$/,
  ],
  ['a row that is no object', '[4]', /^a:1: must be an object, found number$/],
] as const) {
  t.test(`${name} is an error with its place`, t => {
    t.throws(() => parseConversations('a', text, '.'), { code: 'bad-conversation', message })
    t.end()
  })
}

t.test('a rule that many rows break is told once, and an empty file is a problem', t => {
  const many = JSON.stringify(
    Array.from({ length: 12 }, () => 1),
    null,
    1,
  )
  t.throws(() => parseConversations('a', many, '.'), {
    message:
      'a:2: must be an object, found number; 12 of 12 rows break this rule, also lines 3, 4, 5, 6, 7, …',
  })
  t.throws(() => parseConversations('a', '[]', '.'), { code: 'no-conversations' })
  t.end()
})

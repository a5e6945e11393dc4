import t from 'tap'
import chat from '../../../operators/judge/chat.ts'
import type { Question } from '../../../operators/question.ts'
import { runOver } from '../context.ts'
import { chatServer, type Reply, say, stream } from './server.ts'

const config = {
  model: 'large',
  key: 'sk-very-secret',
  instruction: '',
  request: { temperature: 0 },
  tries: 4,
  backoffSeconds: 0.01,
  deadlineSeconds: 20,
  concurrency: 2,
}

function answerOf(id: string, text: string, rest: Partial<Question> = {}): Question {
  return {
    video: 'a.mp4',
    question: 'How many bars?\nAnswer in words.',
    fields: {
      id,
      benchmark: 'mmvu',
      clip: 'a.mp4',
      tasks: ['Economics'],
      groups: {},
      options: [],
      letters: [],
      answer: 'four',
      open: { rule: 'answer', words: 'How many bars?' },
      frames: { rule: 'L', unique: false, bounded: false },
    },
    reply: { text, tokens: 3, finished: true },
    ...rest,
  }
}

const judge = async (url: string, values: readonly Question[], more: object = {}): Promise<Question[]> =>
  (await runOver(
    chat,
    { ...config, ...more, url },
    { port: 'answers', values, key: 'q' },
    'answers',
  )) as Question[]

const yes = '{"extracted_answer": "four", "correct": true}'

t.test(
  'a chat endpoint judges each open answer once, with its key and the settings of the request',
  async t => {
    const { url, asked } = await chatServer(t, (_, response) => say(response, `They agree. ${yes}`))
    const [judged] = await judge(url, [answerOf('q1', '<think> hm </think><answer> 4 </answer>')])
    t.match(judged, { judgement: { said: `They agree. ${yes}`, fault: undefined } })
    t.equal(asked.length, 1)
    t.match(asked[0], { authorization: 'Bearer sk-very-secret', model: 'large', body: { temperature: 0 } })
    t.match(asked[0]?.user, /Question: How many bars\?\n\nTrue answer: four\n\n[\s\S]*\n4\n===/)
    t.notMatch(asked[0]?.user, /hm/, 'not what the model thought')
    t.ok(judged)
    const again = await judge(url, judged ? [judged] : [])
    t.strictSame(again, [judged])
    t.equal(asked.length, 1, 'what was judged is not judged again')
    await judge(url, judged ? [judged] : [], { model: 'larger' })
    t.equal(asked.length, 2, 'but by another judge')
    const choice = { ...answerOf('q2', '<answer> A </answer>'), fields: { ...answerOf('q2', '').fields } }
    delete (choice.fields as { open?: unknown }).open
    await judge(url, [choice, answerOf('q3', '<think> cut'), answerOf('q4', '')])
    t.equal(asked.length, 2, 'neither letters nor nothing are judged')
  },
)

t.test('a text that arrives in pieces is one text', async t => {
  const { url } = await chatServer(t, (_, response) =>
    stream(response, ['It ', 'fits. ', yes.slice(0, 9), yes.slice(9)]),
  )
  const [judged] = await judge(url, [answerOf('q1', 'four')])
  t.equal(judged?.judgement?.said, `It fits. ${yes}`)
})

const faults: [string, Reply][] = [
  ['is busy', (_, response) => response.writeHead(429, { 'retry-after': '0' }).end('slow down')],
  ['has a fault of its own', (_, response) => response.writeHead(500).end('oops')],
  ['is overloaded', (_, response) => response.writeHead(503).end()],
  ['breaks the connection', (_, response) => response.destroy()],
  [
    'breaks off a stream',
    (_, response) => stream(response, ['{"correct": true, "extracted', '_answer": "x"}'], false),
  ],
  [
    'ends a stream too early',
    (_, response) =>
      response.writeHead(200).end('data: {"choices":[{"delta":{"content":"{\\"correct\\": true}"}}]}\n\n'),
  ],
  [
    'breaks off an object',
    (_, response) => response.writeHead(200).end('{"choices": [{"message": {"content": "{\\"correct'),
  ],
  ['answers prose', (_, response) => response.end('<html>login</html>')],
  ['answers an error as a success', (_, response) => response.end('{"error": {"message": "no capacity"}}')],
  ['says nothing that is a verdict', (_, response) => say(response, 'I would rather not say.')],
  ['answers parts without text', (_, response) => say(response, null)],
]
for (const [what, fault] of faults)
  t.test(`an endpoint that ${what} is asked again`, async t => {
    const { url, asked } = await chatServer(t, (one, response, count) =>
      count < 3 ? fault(one, response, count) : say(response, yes),
    )
    const [judged] = await judge(url, [answerOf('q1', 'four')])
    t.match(judged?.judgement, { said: yes, fault: undefined })
    t.equal(asked.length, 3)
  })

t.test('what stays without a verdict says why, is no verdict, and does not end the run', async t => {
  const { url, asked } = await chatServer(t, (one, response) =>
    one.user.includes('\nstubborn\n') ? say(response, 'no verdict here') : say(response, yes),
  )
  const [first, second] = await judge(url, [answerOf('q1', 'stubborn'), answerOf('q2', 'four')])
  t.match(first?.judgement, { said: 'no verdict here', fault: /no verdict that can be read/ })
  t.equal(second?.judgement?.said, yes)
  t.equal(asked.length, 4, 'three readings of one, one of the other')
  await judge(url, first ? [first] : [])
  t.equal(asked.length, 7, 'the next run asks again')
})

t.test('a refusal of the key stops the asking in this run, and shows no key', async t => {
  const { url, asked } = await chatServer(t, (one, response) =>
    response.writeHead(401).end(JSON.stringify({ error: { message: `wrong key ${one.authorization}` } })),
  )
  const answers = Array.from({ length: 6 }, (_, i) => answerOf(`q${i}`, `four ${i}`))
  const judged = await judge(url, answers, { concurrency: 1 })
  t.equal(asked.length, 1)
  for (const { judgement } of judged) {
    t.match(judgement, { said: null, fault: /status 401; it said:.*wrong key Bearer \[key\]/ })
    t.notMatch(JSON.stringify(judgement), /very-secret/)
  }
})

t.test('one answer that is refused leaves the others alone', async t => {
  const { url } = await chatServer(t, (one, response) =>
    one.user.includes('\nlong\n') ? response.writeHead(400).end('too long') : say(response, yes),
  )
  const [first, second] = await judge(url, [answerOf('q1', 'long'), answerOf('q2', 'four')])
  t.match(first?.judgement, { said: null, fault: /status 400; it said: too long/ })
  t.equal(second?.judgement?.said, yes)
})

t.test('a judge that sends nothing is left after the deadline; one that goes on sending is not', async t => {
  const { url } = await chatServer(t, async (one, response) => {
    if (one.user.includes('\nsilent\n')) return
    response.writeHead(200)
    for (const piece of ['{"choices": [{"message":', ' {"content": ', JSON.stringify(yes), '}}]}']) {
      response.write(piece)
      await new Promise(resolve => setTimeout(resolve, 250))
    }
    response.end()
  })
  const [first, second] = await judge(url, [answerOf('q1', 'silent'), answerOf('q2', 'four')], {
    deadlineSeconds: 0.6,
    tries: 1,
  })
  t.match(first?.judgement, { said: null, fault: /sent nothing for 0\.6 s/ })
  t.equal(second?.judgement?.said, yes, 'a second in all')
})

t.test('a judge that never answers is given up after a few answers', async t => {
  const { url, asked } = await chatServer(t, (_, response) => response.writeHead(500).end())
  const answers = Array.from({ length: 20 }, (_, i) => answerOf(`q${i}`, `four ${i}`))
  const judged = await judge(url, answers, { tries: 1, concurrency: 1 })
  t.equal(asked.length, 5)
  t.ok(judged.every(({ judgement }) => judgement?.fault !== undefined))
})

t.test('a busy judge is left alone for the time that it states', async t => {
  let first = 0
  let second = 0
  const { url } = await chatServer(t, (_, response, count) => {
    if (count === 1) {
      first = Date.now()
      return response.writeHead(429, { 'retry-after': '1' }).end()
    }
    second ||= Date.now()
    return say(response, yes)
  })
  await judge(url, [answerOf('q1', 'four'), answerOf('q2', 'five')], { concurrency: 1 })
  t.ok(second - first >= 990, `${second - first} ms`)
})

t.test('a wrong description of a judge is refused before anything is asked', async t => {
  await t.rejects(judge('not an address', [answerOf('q1', 'four')]), { code: 'bad-judge' })
  await t.rejects(judge('http://127.0.0.1:1/v1', [], { model: '' }), {
    code: 'bad-judge',
    message: /judgeModel/,
  })
})

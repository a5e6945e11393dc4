// Questions of one's own: the file that is evaluated is the file that is trained on, in the same words.
import { join } from 'node:path'
import t from 'tap'
import { readMultipleChoice } from '../../../operators/read/multiple-choice.ts'
import questions, { readQuestions } from '../../../operators/read/questions.ts'
import { questionText } from '../../../operators/text/prompt.ts'

const header = 'video,question,a,b,c,answer\n'

async function faultOf(path: string): Promise<string> {
  const error = await readQuestions({ path, root: '' }).catch((error: Error) => error)
  return error instanceof Error ? error.message : 'no fault'
}

t.test('a CSV is trained on in the words that it is evaluated in, with its answers as solutions', async t => {
  const csv = `${header}clips/ball.mp4,Where does the ball go?,left,right,nowhere,b\ncup,"Who takes\nit?",Ann,Bo,,(A)\n`
  const folder = t.testdir({ 'own.csv': csv, videos: { 'cup.mp4': '' } })
  const path = join(folder, 'own.csv')
  const trained = await readQuestions({ path, root: '' })
  const instruction = 'Say a letter.'
  const { questions: asked } = await readMultipleChoice({
    ...{ path, clips: '', name: '', id: '', video: 'video', question: 'question', options: ['a', 'b', 'c'] },
    ...{ answer: 'answer', answers: 'letter', task: '', instruction },
  })
  t.same(
    trained.map(({ value }) => questionText(value.question, { instruction, joint: '\n' })),
    asked.map(({ question }) => question),
  )
  t.same(
    trained.map(({ value }) => value.video),
    asked.map(({ video }) => video),
  )
  t.same(
    trained.map(({ value: { solution } }) => solution),
    asked.map(({ fields }) => fields.answer),
  )
  for (const { question } of asked)
    t.equal(questionText(question, { instruction, joint: ' ' }), question, 'it is not instructed twice')
})

t.test('JSON lines may hold the options as a list, or in the question', async t => {
  const rows = [
    { video: './1.mp4', question: 'Which?', options: ['cat', 'dog'], answer: 'B', source: 'mine' },
    { video: '2.mp4', question: 'Which?\nA. cat\nB. dog', answer: 'A' },
    { video: '2.mp4', question: 'How many?' },
    { video_filename: './3.mp4', problem: 'Which?', solution: 'C' },
  ]
  const folder = t.testdir({ 'own.jsonl': rows.map(row => JSON.stringify(row)).join('\n') })
  const samples = await readQuestions({ path: join(folder, 'own.jsonl'), root: '/data' })
  t.same(
    samples.map(({ value }) => value),
    [
      {
        video: '/data/1.mp4',
        question: 'Which?\nOptions:\nA. cat\nB. dog',
        fields: { source: 'mine' },
        solution: 'B',
      },
      { video: '/data/2.mp4', question: 'Which?\nA. cat\nB. dog', fields: {}, solution: 'A' },
      { video: '/data/2.mp4', question: 'How many?', fields: {} },
      { video: '/data/3.mp4', question: 'Which?', fields: {}, solution: 'C' },
    ],
  )
})

t.test('a fault names the line of the file, the rule and what was found', async t => {
  const folder = t.testdir({
    'letter.csv': `${header}1.mp4,"Which\none?",x,y,z,A\n\n1.mp4,Which?,x,y,,C\n`,
    'names.csv': 'clip,text\n1.mp4,Which?\n',
    'outside.csv': `${header}../1.mp4,Which?,x,y,z,A\n`,
    'no-video.jsonl': '{"question":"Which?","answer":"A"}',
  })
  t.match(
    await faultOf(join(folder, 'letter.csv')),
    /letter\.csv:5: answer: must be the letter of one of 2 options, found "C"/,
  )
  t.match(
    await faultOf(join(folder, 'names.csv')),
    /names\.csv:2: must have problem and video_filename, or video and question, found clip, text/,
  )
  t.match(
    await faultOf(join(folder, 'outside.csv')),
    /outside\.csv:2: video: must name a file inside .*, found "\.\.\/1/,
  )
  t.match(
    await faultOf(join(folder, 'no-video.jsonl')),
    /no-video\.jsonl:1: video: must be text, it is missing/,
  )
})

t.test('a check warns of rows that no reward can compare with', async t => {
  const folder = t.testdir({ 'own.csv': `${header}1.mp4,Which?,x,y,z,\n1.mp4,Who?,x,y,z,A\n` })
  const path = join(folder, 'own.csv')
  const said = await questions.inspect?.(
    { path, root: '', epochs: 1, limit: 0, shuffle: false } as never,
    undefined as never,
  )
  t.match(
    JSON.stringify(said),
    /"no-solution".*1 of 2 rows have none: row 1|1 of 2 rows have none: row 1.*"no-solution"/,
  )
})

// Questions of one's own: the file that is evaluated is the file that is trained on, in the same words.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import multipleChoice, { readMultipleChoice } from '../../../operators/read/multiple-choice.ts'
import questions, { readQuestions } from '../../../operators/read/questions.ts'
import { questionText, wordingFields } from '../../../operators/text/prompt.ts'

const plain = { root: '', columns: {}, answerForm: 'letter' as const }
const header = 'video,question,a,b,c,answer\n'

async function faultOf(path: string): Promise<string> {
  const error = await readQuestions({ ...plain, path }).catch((error: Error) => error)
  return error instanceof Error ? error.message : 'no fault'
}

t.test(
  'a file is trained on in the words that it is evaluated in, with its answers as solutions',
  async t => {
    const csv = `${header}clips/ball.mp4,Where does the ball go?,left,right,nowhere,b\ncup,"Who takes\nit?",Ann,Bo,,(A)\n`
    const published = { video_filename: './ball.mp4', problem: 'Which?\nA. x\nB. y \n', solution: 'B' }
    const inside = { video: 'ball.mp4', question: 'Which? (A) x (B) y ', answer: 'A' }
    const folder = t.testdir({
      'own.csv': csv,
      'published.jsonl': JSON.stringify(published),
      'inside.jsonl': JSON.stringify(inside),
      videos: { 'cup.mp4': '', 'ball.mp4': '' },
      'ball.mp4': '',
    })
    // what model.encode puts after a question in training, by default
    const wording = { instruction: wordingFields.instruction.default, joint: wordingFields.joint.default }
    const { instruction } = wording
    const joint = multipleChoice.config.joint.default
    for (const name of ['own.csv', 'published.jsonl', 'inside.jsonl']) {
      const path = join(folder, name)
      const trained = await readQuestions({ ...plain, path })
      const { questions: asked } = await readMultipleChoice({
        ...{ ...plain, path, clips: '', name: '', id: '', task: '', instruction, joint },
      })
      t.same(
        trained.map(({ value }) => [
          questionText(value.question, wording),
          value.solution,
          value.video.replace('videos/', ''),
        ]),
        asked.map(({ question, fields, video }) => [question, fields.answer, video.replace('videos/', '')]),
        name,
      )
      for (const { question } of asked)
        t.equal(questionText(question, wording), question, 'it is not instructed twice')
    }
  },
)

t.test('JSON lines may hold the options as a list, or in the question', async t => {
  const rows = [
    { video: './1.mp4', question: 'Which?', options: ['cat', 'dog'], answer: 'B', source: 'mine' },
    { video: '2.mp4', question: 'Which?\nA. cat\nB. dog', answer: 'A' },
    { video: '2.mp4', question: 'How many?' },
    { video_filename: './3.mp4', problem: 'Which?', solution: 'C' },
  ]
  const folder = t.testdir({ 'own.jsonl': rows.map(row => JSON.stringify(row)).join('\n') })
  const samples = await readQuestions({ ...plain, path: join(folder, 'own.jsonl'), root: '/data' })
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
    'no-video.jsonl': '{"question":"Which?","answer":"A"}\n{"video":"1.mp4","question":"Which?"}',
  })
  t.match(
    await faultOf(join(folder, 'letter.csv')),
    /letter\.csv:5: answer: must be the letter of one of 2 options, found "C"/,
  )
  t.match(
    await faultOf(join(folder, 'names.csv')),
    /names\.csv: must have a column for the clip and one for the question; no row has a column "video" or "video_filename"; .*; its columns are clip, text/,
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
    { ...plain, path, epochs: 1, limit: 0, shuffle: false } as never,
    undefined as never,
  )
  t.match(JSON.stringify(said), /1 of 2 rows have none: [^ ]*own\.csv:2.*"no-solution"/)
})

const rows = [
  { clip: 'red.mp4', q: 'Where does it go?', choices: ['left', 'right'], label: 'B' },
  { clip: 'red.mp4', q: 'What is it?', choices: ['ball', 'box', 'ring'], label: 'C' },
]
const columns = { video: 'clip', question: 'q', options: 'choices', answer: 'label' }

t.test('columns of any name are read, for training and for evaluation', async t => {
  const answers = { ...columns, options: ['a0', 'a1'] }
  const folder = t.testdir({
    'own.jsonl': rows.map(row => JSON.stringify(row)).join('\n'),
    'own.csv': 'clip,q,a0,a1,label\nred.mp4,Where does it go?,left,right,right\n',
    'list.csv': 'clip,q,choices,label\nred.mp4,What is it?,"[""ball"", ""box"", ""ring""]",2\n',
    'problem.jsonl': '{"path":"./red.mp4","problem":"Which? A. x B. y","solution":"<answer> B </answer>"}',
    'red.mp4': '',
  })
  const read = async (name: string, settings: object) => {
    const path = join(folder, name)
    const asked = { ...plain, ...settings, path }
    const trained = await readQuestions(asked)
    const rest = { clips: '', name: '', id: '', task: '', instruction: 'Say.', joint: ' ' }
    const { questions } = await readMultipleChoice({ ...rest, ...asked })
    t.same(
      trained.map(({ value: { video, solution } }) => ({ video, solution })),
      questions.map(({ video, fields }) => ({ video, solution: fields.answer })),
      `${name} is trained on as it is evaluated`,
    )
    t.same(trained[0]?.value.fields, {}, 'what is named is used up')
    return trained.map(({ value }) => [value.question, value.solution])
  }
  const where = 'Where does it go?\nOptions:\nA. left\nB. right'
  const what = 'What is it?\nOptions:\nA. ball\nB. box\nC. ring'
  t.same(await read('own.jsonl', { columns }), [
    [where, 'B'],
    [what, 'C'],
  ])
  t.same(await read('own.csv', { columns: answers, answerForm: 'text' }), [[where, 'B']])
  t.same(await read('list.csv', { columns, answerForm: 'index' }), [[what, 'C']])
  t.same(await read('problem.jsonl', { columns: { video: 'path' } }), [['Which? A. x B. y', 'B']])
})

t.test('names that the file lacks are told once, with the setting that names the columns', async t => {
  const folder = t.testdir({
    'own.jsonl': Array.from({ length: 12 }, (_, i) => JSON.stringify(rows[i % 2])).join('\n'),
    'nextqa.csv': 'video_id,query,a0,a1,a2,gold\n1,Which?,x,y,z,1\n',
  })
  const refused = (name: string, settings: object = {}) =>
    readQuestions({ ...plain, ...settings, path: join(folder, name) })
  await t.rejects(refused('own.jsonl'), {
    code: 'no-column',
    message:
      /^[^\n]*own\.jsonl: must have a column for the clip [^\n]*; its columns are clip, q, choices, label$/,
    remedy: `say which columns hold them: --set columns='${JSON.stringify(columns)}'`,
  })
  await t.rejects(refused('nextqa.csv'), {
    code: 'no-column',
    remedy:
      /'\{"video":"video_id","question":"query","options":\["a0","a1","a2"\],"answer":"gold"\}' --set answerForm=index, or number where they count from 1$/,
  })
  await t.rejects(refused('own.jsonl', { columns: { ...columns, video: 'clips' } }), {
    message: /columns\.video: no row has a column "clips"/,
  })
  await t.rejects(refused('own.jsonl', { columns: { vidoe: 'clip' } }), {
    code: 'bad-columns',
    message: 'columns.vidoe: must be one of video, question, options, answer; nearest "video"',
  })
  await t.rejects(refused('own.jsonl', { columns: { ...columns, video: 3 } }), {
    message: 'columns.video: must be the name of a column, found 3',
  })
})

t.test('an answer in another form is told with the setting for it', async t => {
  const folder = t.testdir({
    'text.csv': `${header}1.mp4,Which?,left,right,up,right\n1.mp4,Which?,left,right,up,E\n`,
    'open.jsonl': '{"video":"1.mp4","question":"What does she say?","answer":"hello there"}',
    'options.jsonl': '{"video":"1.mp4","question":"Which?","answer":"B","choice list":["x","y"]}',
    'cell.csv': 'video,question,options,answer\n1.mp4,Which?,left|right,A\n',
  })
  t.match(
    await faultOf(join(folder, 'text.csv')),
    /:2: answer: must be the letter of one of 3 options, found "right", which is its text: --set answerForm=text; 2 of 2 rows break this rule, also line 3$/,
  )
  const [open] = await readQuestions({ ...plain, path: join(folder, 'open.jsonl') })
  t.equal(open?.value.solution, 'hello there', 'a question without options is answered in words')
  t.match(
    await faultOf(join(folder, 'options.jsonl')),
    /:1: options: must be in columns a, b, …, in a list named options, .*found none, and the answer "B"; --set columns='\{"options":"…"\}' names others/,
  )
  t.match(await faultOf(join(folder, 'cell.csv')), /:2: options: must be a list .*, found "left\|right"$/)
})

t.test('a clip may be named by an absolute path that leads into root', async t => {
  const folder = t.testdir({ clips: { '1.mp4': '' } })
  const path = join(folder, 'own.csv')
  writeFileSync(path, `${header}${folder}/clips/1.mp4,Which?,x,y,z,A\n`)
  const [inside] = await readQuestions({ ...plain, path })
  t.equal(inside?.value.video, join(folder, 'clips/1.mp4'))
  writeFileSync(path, `${header}/elsewhere/1.mp4,Which?,x,y,z,A\n`)
  t.match(
    await faultOf(path),
    /:2: video: must name a file inside .*, the folder of the data or the one that root names, found "\/elsewhere\/1\.mp4"; --set root=\/ allows any folder$/,
  )
  const [elsewhere] = await readQuestions({ ...plain, path, root: '/' })
  t.equal(elsewhere?.value.video, '/elsewhere/1.mp4')
})

t.test('a broken quote is told with the line that its row begins on', async t => {
  const csv = (rows: string) => `${header}\n1.mp4,"Which\none?",x,y,z,A\n${rows}`
  const folder = t.testdir({
    'open.csv': csv('1.mp4,"Which?,x,y,z,A\n1.mp4,Who?,x,y,z,A\n1.mp4,Who?,x,y,z,A\n'),
    'closed.csv': csv('1.mp4,"Which?,x,y,z,A\n1.mp4,"Who?",x,y,z,A\n'),
    'inside.csv': csv('1.mp4,The 5" disk?,x,y,z,A\n'),
    'short.csv': csv('1.mp4,Which?,x,y,A\n'),
  })
  const at = async (name: string) =>
    (await faultOf(join(folder, name))).slice(folder.length + 1 + name.length)
  const rule = ': must be a table of values: '
  t.equal(await at('open.csv'), `:5${rule}the row that begins on this line opens a quote that nothing closes`)
  t.equal(
    await at('closed.csv'),
    `:5${rule}the row that begins on this line closes a quote on line 6, and the value goes on after it`,
  )
  t.equal(await at('inside.csv'), `:5${rule}a quote stands in a value that does not begin with a quote`)
  t.equal(await at('short.csv'), `:5${rule}a row must have 6 values, as its first line has names, found 5`)
})

t.test('the remedy of a file has all settings that read it, so that it works as it stands', async t => {
  const named = 'clip,q,one,two,label\n'
  const folder = t.testdir({
    'text.csv': `${header}1.mp4,Which?,left,right,up,right\n1.mp4,Which?,left,right,up,left\n`,
    'most.csv': `${header}1.mp4,Which?,left,right,up,right\n1.mp4,Which?,left,right,up,left\n1.mp4,Which?,left,right,up,no\n`,
    'mixed.csv': `${header}1.mp4,Which?,left,right,up,right\n1.mp4,Which?,left,right,up,no\n`,
    'number.csv': `${header}1.mp4,Which?,left,right,up,3\n1.mp4,Which?,left,right,up,1\n`,
    'index.csv': `${header}1.mp4,Which?,left,right,up,0\n1.mp4,Which?,left,right,up,2\n`,
    'own.csv': `${named}1.mp4,Which?,left,right,right\n`,
    'letter.csv': `${named}1.mp4,Which?,left,right,B\n`,
  })
  const columns = { video: 'clip', question: 'q', options: ['one', 'two'], answer: 'label' }
  const asked = `say which columns hold them: --set columns='${JSON.stringify({ video: 'clip', question: 'q', answer: 'label' })}'`
  const refusedBy = async (name: string, settings: object) => {
    const path = join(folder, name)
    const training = await readQuestions({ ...plain, path, ...settings }).then(
      () => undefined,
      error => error,
    )
    const about = { clips: '', name: '', id: '', task: '', instruction: '', joint: '' }
    const evaluation = await readMultipleChoice({ ...plain, ...about, path, ...settings }).then(
      () => undefined,
      error => error,
    )
    return { training, evaluation }
  }
  for (const [name, settings, remedy] of [
    ['text.csv', {}, '--set answerForm=text'],
    ['most.csv', {}, '--set answerForm=text, and mend the rows that it does not fit, or leave them out'],
    ['mixed.csv', {}, 'mend these rows, or leave them out'],
    ['number.csv', {}, '--set answerForm=number'],
    ['index.csv', {}, '--set answerForm=index'],
    ['number.csv', { answerForm: 'text' }, '--set answerForm=number'],
    ['own.csv', { columns }, '--set answerForm=text'],
  ] as const) {
    const { training, evaluation } = await refusedBy(name, settings)
    t.match(training, { code: 'bad-question', remedy }, name)
    t.match(evaluation, { code: 'bad-question', remedy }, `${name}, to evaluate`)
  }
  t.match((await refusedBy('letter.csv', {})).training, { code: 'no-column', remedy: asked })
  const { training, evaluation } = await refusedBy('own.csv', { columns: { options: columns.options } })
  const whole =
    /^say which columns hold them: --set columns='\{.*"options":\["one","two"\].*\}' --set answerForm=text$/
  t.match(training, { code: 'no-column', remedy: whole })
  t.match(evaluation, { code: 'no-column', remedy: whole })
})

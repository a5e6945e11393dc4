import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { findingsOf } from '../../../operators/read/benchmark.ts'
import { readEgoSchema } from '../../../operators/read/egoschema.ts'
import { linesOf } from '../../../operators/read/lines.ts'
import { readMultipleChoice } from '../../../operators/read/multiple-choice.ts'
import { readNextQa } from '../../../operators/read/nextqa.ts'
import { readPerceptionTest } from '../../../operators/read/perceptiontest.ts'
import { readTable } from '../../../operators/read/table.ts'
import { readTempCompass } from '../../../operators/read/tempcompass.ts'
import { readVsiBench } from '../../../operators/read/vsi-bench.ts'

const instruction = 'Answer.'

function write(folder: string, files: Readonly<Record<string, unknown>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

t.test('questions of your own are read from a table with names in its first line', async t => {
  const columns = { video: 'file', question: 'q', options: ['one', 'two'], answer: 'key' }
  const rest = { id: '', task: 'kind', clips: '', name: '', instruction, joint: '\n' }
  const settings = { ...rest, columns, answerForm: 'number' as const }
  const path = join(
    write(t.testdir(), {
      'mine.csv':
        '\ufefffile,q,one,two,key,kind\nx.mov,"Which, ""red""?",red,"dark\nblue",2,colour\ny,Which?,a,b,1,other\n',
      'x.mov': '',
      'videos/y.webm': '',
    }),
    'mine.csv',
  )
  const { name, questions } = await readMultipleChoice({ ...settings, path })
  t.equal(name, 'mine')
  t.match(questions, [
    {
      video: join(dirname(path), 'x.mov'),
      question: 'Which, "red"?\nOptions:\nA. red\nB. dark\nblue\nAnswer.',
      fields: { id: 'mine/2', answer: 'B', tasks: ['colour'], options: ['red', 'dark\nblue'] },
    },
    { video: join(dirname(path), 'videos/y.webm'), fields: { id: 'mine/4', answer: 'A' } },
  ])
  await t.rejects(readMultipleChoice({ ...settings, path, answerForm: 'letter' }), {
    message: `${path}:2: answer: must be the letter of one of 2 options, found "2"`,
  })
  const tagged = write(t.testdirName, {
    'tagged.csv': 'file,q,one,two,key,kind\nx.mov,Which?,a,b,<answer> B </answer>,c\n',
  })
  const training = { ...settings, path: join(tagged, 'tagged.csv'), answerForm: 'letter' as const }
  t.match(
    (await readMultipleChoice(training)).questions,
    [{ fields: { answer: 'B' } }],
    'as training data has it',
  )
  await t.rejects(readMultipleChoice({ ...settings, path, columns: { ...columns, video: 'clip' } }), {
    code: 'no-column',
    message: `${path}: must have the columns that are named; columns.video: no row has a column "clip"; its columns are file, q, one, two, key, kind`,
    remedy:
      'say which columns hold them: --set columns=\'{"video":"file","question":"q","options":["one","two"],"answer":"key"}\'',
  })
  await t.rejects(
    readMultipleChoice({ ...settings, path, columns: { ...columns, answer: 'gold' } }),
    { code: 'no-column', message: /no row has a column "gold"/ },
    'without true answers, every answer would count as wrong',
  )
})

t.test('a column named much like that of the answers is told where no row has an answer', async t => {
  const rest = {
    id: '',
    task: '',
    clips: '',
    name: '',
    instruction,
    joint: '\n',
    answerForm: 'letter' as const,
  }
  const warningsOf = async (names: string, columns = {}) => {
    const text = `video,question,a,b,${names}\nx.mp4,Which?,red,blue,B\n`
    const folder = write(t.testdir(), { 'mine.csv': text, 'x.mp4': '' })
    return (await readMultipleChoice({ ...rest, columns, path: join(folder, 'mine.csv') })).warnings
  }
  const said = (meant: string, setting: string) => [
    `no row has an answer in a column "answer": is the column "${meant}" meant? --set columns='${setting}'`,
  ]
  t.same(await warningsOf('anwser'), said('anwser', '{"answer":"anwser"}'))
  const columns = { video: 'video' }
  t.same(await warningsOf('anwser', columns), said('anwser', '{"video":"video","answer":"anwser"}'))
  t.same(await warningsOf('answer'), [], 'an answer is there')
  t.same(await warningsOf('note'), [], 'a file may be asked for its answers alone')
})

t.test(
  'questions of your own are read from JSON lines, with options in a list or in the question',
  async t => {
    const row = { video: 'v.mp4', question: 'Who? (A) he (B) she', options: ['he', 'she'], answer: '(B)' }
    const path = join(write(t.testdir(), { 'q.jsonl': JSON.stringify(row) }), 'q.jsonl')
    const settings = { id: '', task: '', clips: '/c', name: 'n', answerForm: 'letter' as const }
    const rest = { ...settings, instruction, joint: '\n' }
    const [listed] = (await readMultipleChoice({ ...rest, path, columns: {} })).questions
    t.match(listed?.fields, { id: 'n/1', answer: 'B', options: ['he', 'she'], tasks: ['all'] })
    write(t.testdirName, { 'q.jsonl': JSON.stringify({ ...row, options: undefined }) })
    const [inside] = (await readMultipleChoice({ ...rest, path, columns: {} })).questions
    t.equal(inside?.question, 'Who? (A) he (B) she\nAnswer.')
    t.match(inside?.fields, { answer: 'B', options: ['he', 'she'] })
  },
)

t.test('EgoSchema asks the questions that have a public answer', async t => {
  const options = Object.fromEntries([0, 1, 2, 3, 4].map(i => [`option ${i}`, `act ${i}`]))
  const rows = [
    { q_uid: 'u-1', question: 'Why?', ...options },
    { q_uid: 'u-2', question: 'How?', ...options },
  ]
  const path = write(t.testdir(), {
    'questions.json': rows,
    'subset_answers.json': { 'u-2': 4 },
    'videos/u-2.mp4': 'x',
  })
  const { questions, excluded } = await readEgoSchema({ path, instruction })
  t.match(questions, [{ video: join(path, 'videos/u-2.mp4'), fields: { id: 'egoschema/u-2', answer: 'E' } }])
  t.match(excluded, [{ id: 'egoschema/u-1' }])
})

t.test('NExT-QA finds its clips by the map to VidOR', async t => {
  const path = write(t.testdir(), {
    'nextqa/test.csv':
      'video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n88,9,1,1,why run,3,0,CW,a,b,c,d,e\n',
    'nextqa/map_vid_vidorID.json': { '88': '1001/2222' },
    'NExTVideo/1001/2222.mp4': 'x',
  })
  const { questions } = await readNextQa({ path, instruction, split: 'test' })
  t.match(questions, [
    {
      video: join(path, 'NExTVideo/1001/2222.mp4'),
      question: 'why run\nOptions:\nA. a\nB. b\nC. c\nD. d\nE. e\nAnswer.',
      fields: { id: 'nextqa/88_0', answer: 'D', tasks: ['CW'], groups: { kind: 'causal' } },
    },
  ])
})

t.test('PerceptionTest has its questions by clip', async t => {
  const question = {
    id: 2,
    question: 'What?',
    options: ['p', 'q', 'r'],
    answer_id: 1,
    area: 'memory',
    reasoning: 'abductive',
  }
  const path = write(t.testdir(), {
    'mc_question_valid.json': { video_5: { mc_question: [question] } },
    'videos/video_5.mp4': '',
  })
  const { questions } = await readPerceptionTest({ path, instruction })
  t.match(questions, [
    {
      video: join(path, 'videos/video_5.mp4'),
      fields: {
        id: 'perceptiontest/video_5_2',
        answer: 'B',
        tasks: ['abductive'],
        groups: { area: 'memory' },
      },
    },
  ])
})

t.test('the three kinds of TempCompass become options with letters', async t => {
  const path = write(t.testdir(), {
    'questions/multi-choice.json': {
      '12': { speed: [{ question: 'How?\nA. slow\nB. fast', answer: 'B. fast' }] },
    },
    'questions/yes_no.json': { '12': { speed: [{ question: 'Is it slow?', answer: 'no' }] } },
    'questions/caption_matching.json': {
      '12': {
        order: [{ question: 'Which fits?\nOption 1: Up.\nOption 2: Down.', answer: 'Option 2: Down.' }],
      },
    },
    'videos/12.mp4': 'x',
  })
  const { questions } = await readTempCompass({ path, instruction })
  t.strictSame(
    questions.map(({ question, fields }) => [fields.id, question, fields.answer]),
    [
      ['tempcompass/multi-choice/12/speed/0', 'How?\nOptions:\nA. slow\nB. fast\nAnswer.', 'B'],
      ['tempcompass/yes_no/12/speed/0', 'Is it slow?\nOptions:\nA. yes\nB. no\nAnswer.', 'B'],
      ['tempcompass/caption_matching/12/order/0', 'Which fits?\nOptions:\nA. Up.\nB. Down.\nAnswer.', 'B'],
    ],
  )
})

t.test('VSI-Bench has questions with letters and questions with numbers', async t => {
  const about = { dataset: 'scannet', scene_name: 's1', question: 'How?' }
  const rows = [
    { ...about, id: 1, question_type: 'object_counting', options: null, ground_truth: '3' },
    {
      ...about,
      id: 2,
      question_type: 'object_rel_direction_hard',
      options: ['A. left', 'B. right'],
      ground_truth: 'B',
    },
  ]
  const path = write(t.testdir(), {
    'test.jsonl': rows.map(row => JSON.stringify(row)).join('\n'),
    'scannet/s1.mp4': 'x',
  })
  const { questions, headline, unions } = await readVsiBench({
    path,
    instruction,
    numberInstruction: 'Say a number.',
  })
  t.equal(headline, 'tasks')
  t.strictSame(unions, {
    object_rel_direction: [
      'object_rel_direction_easy',
      'object_rel_direction_medium',
      'object_rel_direction_hard',
    ],
  })
  t.match(questions, [
    {
      question: 'How?\nSay a number.',
      fields: { id: 'vsi-bench/1', letters: [], answer: '3', tasks: ['object_counting'] },
    },
    {
      question: 'How?\nOptions:\nA. left\nB. right\nAnswer.',
      fields: { answer: 'B', tasks: ['object_rel_direction_hard'], groups: { dataset: 'scannet' } },
    },
  ])
  t.strictSame(findingsOf(questions.slice(0, 1)), [], 'a number can be right')
})

t.test('a table that cannot be meant is refused with its place', async t => {
  const folder = t.testdir({
    'twice.csv': 'video,question,a,a,answer\nx.mp4,Which?,1,2,A\n',
    'zero.jsonl': '{"video":"a\\u0000.mp4","question":"Which?","a":"1","b":"2","answer":"A"}\n',
    'wide.csv': `${Array.from({ length: 20_000 }, (_, i) => `c${i}`).join(',')}\n${'1,'.repeat(19_999)}1\n`,
    'deep.jsonl': `{"video":"v.mp4","question":${'['.repeat(9_000)}${']'.repeat(9_000)}}\n`,
    'long.jsonl': `{"video":"v.mp4","question":["${'x'.repeat(100_000)}"],"a":"1","b":"2","answer":"A"}\n`,
    'number.jsonl': '{"video":"v.mp4","question":1e999,"a":"1","b":"2","answer":1e999}\n',
  })
  const read = (name: string) =>
    readMultipleChoice({
      ...{ id: '', columns: {}, task: '', clips: '', name: '' },
      path: join(folder, name),
      answerForm: 'letter',
      instruction,
      joint: '\n',
    })
  const refusal = async (name: string): Promise<string> => {
    const error = await read(name).then(
      () => undefined,
      (error: Error) => error,
    )
    const message = String(error?.message)
    t.ok(message.startsWith(join(folder, name)), `${name}: ${message.slice(0, 200)}`)
    t.ok(message.length < 1500, `${name}: ${message.length} characters`)
    return message.slice(join(folder, name).length)
  }
  t.match(await refusal('twice.csv'), 'the names in its first line must differ, found "a" twice')
  t.match(await refusal('zero.jsonl'), /^:1: video: must name a file inside .*, found "a\\u0000.mp4"/)
  t.match(
    await refusal('wide.csv'),
    /no row has a column "question" or "problem"; its columns are c0, .*, c49 and 19950 more$/,
  )
  t.match(await refusal('deep.jsonl'), /^:1: must be JSON: its values must be nested at most 500 levels deep/)
  t.match(await refusal('long.jsonl'), /^:1: question: must be text, found \["x+… \(100004 characters\)$/)
  t.match(await refusal('number.jsonl'), /^:1: answer: must be the letter of one of 2 options, found "1e999"/)
})

t.test('a file that is too long for the memory is refused before it is read', async t => {
  const folder = t.testdir({ 'a.jsonl': '1'.repeat(100), 'a.parquet': '' })
  for (const name of ['a.jsonl', 'a.parquet']) truncateSync(join(folder, name), 3 * 2 ** 30)
  await t.rejects(readTable(join(folder, 'a.jsonl')), {
    code: 'too-large',
    message: `${join(folder, 'a.jsonl')}: must be smaller than 512 MiB to be read as a whole, found 3221225472 bytes`,
  })
  await t.rejects(readTable(join(folder, 'a.parquet')), {
    code: 'bad-question',
    message: /must be a Parquet file/,
  })
  const line = async () => {
    for await (const _ of linesOf(join(folder, 'a.jsonl'))) t.fail('must give no line')
  }
  await t.rejects(line(), {
    code: 'too-large',
    message: `${join(folder, 'a.jsonl')}:1: a line must be shorter than 256 MiB`,
  })
})

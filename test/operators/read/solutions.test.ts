// What `flow check` says about rows whose fields have other names, and about options that are alike.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Finding } from '../../../engine/finding.ts'
import { readMultipleChoice } from '../../../operators/read/multiple-choice.ts'
import questions, { readQuestions } from '../../../operators/read/questions.ts'
import { suggested } from '../../../operators/read/suggested-columns.ts'

type Row = Readonly<Record<string, unknown>>

const rows = (count: number, more: (i: number) => Row): Row[] =>
  Array.from({ length: count }, (_, i) => ({
    video: `${i}.mp4`,
    question: `Who? ${i}`,
    a: 'cat',
    b: 'dog',
    ...more(i),
  }))

interface Given {
  columns?: Row
  answerForm?: 'letter' | 'text'
}

/** The lines of the findings with this code about a file of these rows; the file is named FILE. */
async function told(
  folder: string,
  code: string,
  list: readonly Row[],
  { columns = {}, ...more }: Given = {},
) {
  const path = join(folder, 'rows.jsonl')
  writeFileSync(path, list.map(row => JSON.stringify(row)).join('\n'))
  const settings = {
    path,
    root: '',
    columns,
    answerForm: 'letter' as const,
    epochs: 1,
    limit: 0,
    shuffle: false,
  }
  const looked = await questions.inspect?.({ ...settings, ...more }, {} as never)
  const found = (looked ?? []).filter(
    (one): one is Finding => typeof one !== 'string' && 'code' in one && one.code === code,
  )
  return found.flatMap(({ lines }) => lines.map(line => line.replaceAll(path, 'FILE')))
}

t.test(
  'a field of some rows with another name is to be renamed there, one of all rows is named by columns',
  async t => {
    const folder = t.testdir({})
    const slips = (...at: number[]) => rows(6, i => (at.includes(i) ? { anwser: 'A' } : { answer: 'A' }))
    const look = (list: readonly Row[], columns?: Row) =>
      told(folder, 'no-solution', list, columns ? { columns } : {})
    t.strictSame(await look(slips(3)), [
      '1 of 6 rows have none: FILE:4',
      'is the field "anwser" meant? rename it to "answer" in FILE:4',
    ])
    t.match((await look(slips(1, 4)))[1], /rename it to "answer" in FILE:2, FILE:5$/)
    // the advice of the first faulty version was followed
    t.strictSame(
      (await look(slips(3), { answer: 'anwser' }))[1],
      [
        'is the field "answer" meant, which most rows have? --set columns=\'{"answer":"answer"}\', and rename "anwser" to "answer" in FILE:4',
      ][0],
    )
    t.match(
      (await look(slips(3), { answer: 'answer' }))[1],
      /"anwser" meant\? rename it to "answer" in FILE:4$/,
    )
    const all = await look(slips(0, 1, 2, 3, 4, 5), { video: 'video' })
    t.equal(all[1], 'is the column "anwser" meant? --set columns=\'{"video":"video","answer":"anwser"}\'')
    const texts = await look(rows(6, i => ({ anwser: ['cat', 'dog'][i % 2] })))
    t.equal(
      texts[1],
      'is the column "anwser" meant? --set columns=\'{"answer":"anwser"}\' --set answerForm=text',
      'with the form of the answers',
    )
    const named = await look(slips(0, 1, 2, 3, 4, 5), { video: 'video', answer: 'anwser' })
    t.strictSame(named, [], 'the advice is right')
    const without = await look([...slips(), ...rows(1, () => ({}))])
    t.strictSame(without, ['1 of 7 rows have none: FILE:7'], 'where no field is like it, none is named')
  },
)

t.test('a clip, a question or options under another name are told with the field to rename', async t => {
  const path = join(t.testdir({}), 'rows.jsonl')
  const said = async (...list: Row[]) => {
    writeFileSync(
      path,
      [...rows(3, () => ({ answer: 'A' })), ...list].map(row => JSON.stringify(row)).join('\n'),
    )
    const plain = { path, root: '', columns: {}, answerForm: 'letter' as const }
    const message = (error: Error) => error.message.replace(path, 'FILE')
    return readQuestions(plain).then(() => 'it is read', message)
  }
  const whole = { video: '9.mp4', question: 'Which?', options: ['x', 'y'], answer: 'B' }
  const other = (name: keyof typeof whole, as: string): Row => {
    const { [name]: value, ...rest } = whole
    return { ...rest, [as]: value }
  }
  t.match(
    await said(other('question', 'qestion')),
    /^FILE:4: .*is the field "qestion" meant\? rename it to "question"/,
  )
  t.match(
    await said(other('video', 'vidoe')),
    /^FILE:4: video: .*is the field "vidoe" meant\? rename it to "video"/,
  )
  t.match(
    await said(other('options', 'optoins')),
    /^FILE:4: .*is the field "optoins" meant\? rename it to "options"/,
  )
  const published = { video_filname: '9.mp4', problem: 'Which?', solution: 'B' }
  t.match(
    await said(published),
    /^FILE:4: video_filename: .*"video_filname" meant\? rename it to "video_filename"/,
  )
  const settings = { ...{ clips: '', name: '', id: '', columns: {}, task: '' }, instruction: '', joint: '\n' }
  writeFileSync(
    path,
    `${JSON.stringify(other('video', 'vidoe'))}\n${JSON.stringify({ ...whole, video: 'c.mp4' })}`,
  )
  await t.rejects(readMultipleChoice({ ...settings, path, answerForm: 'letter' }), {
    message: /rename it to "video"/,
  })
})

t.test('columns are advised by the names that most rows have', async t => {
  const list = [...rows(5, () => ({})), { clip: 'x.mp4', q: 'Who?' }].map(
    ({ video, question, ...rest }: Row) => ({
      ...rest,
      ...(video === undefined ? {} : { file: video, ask_prompt: question }),
    }),
  )
  t.match(suggested(list), { video: 'file', question: 'ask_prompt', options: ['a', 'b'] })
  const answered = [
    { clip: '1.mp4', q: 'What?', first: 'red', second: 'green', note: '', label: 'green' },
    { clip: '2.mp4', q: 'What?', first: 'cat', second: 'dog', note: '', label: 'cat' },
  ]
  t.same(suggested(answered).options, ['first', 'second'], 'columns that hold the answers')
  t.notOk('options' in suggested(answered.map(row => ({ ...row, label: 'A' }))))
})

t.test('options that are alike are told with their rows, and whether one of them is the answer', async t => {
  const folder = t.testdir({})
  const same = { a: 'left', b: 'left', c: 'right' }
  const list = [
    ...rows(2, () => ({ answer: 'A' })),
    { video: '1.mp4', question: 'Where?', ...same, answer: 'B' },
    { video: '1.mp4', question: 'And then?', options: ['up', 'down', 'up'], answer: 'B' },
    { video_filename: '1.mp4', problem: 'Which?\nA. on\nB. on\nC. off', solution: '<answer>A</answer>' },
  ]
  t.strictSame(await told(folder, 'repeated-option', list), [
    '3 of 5 rows: FILE:3: A and B are both "left", and one of them is the answer, FILE:4: A and C are both "up", FILE:5: A and B are both "on", and one of them is the answer',
  ])
  t.strictSame(await told(folder, 'repeated-option', list.slice(0, 2)), [])
})

t.test('an answer that is the text of two options means neither', async t => {
  const folder = t.testdir({})
  const list = (answer: string) => [
    { video: '1.mp4', question: 'Where?', a: 'left', b: 'left', c: 'right', answer },
  ]
  const look = (answer: string) => told(folder, 'repeated-option', list(answer), { answerForm: 'text' })
  await t.rejects(look('left'), {
    code: 'bad-question',
    message: /:1: answer: .* which is the text of two of them/,
  })
  t.match(await look('right'), ['1 of 1 rows: FILE:1: A and B are both "left"'])
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Question } from '../../../operators/question.ts'
import { choiceQuestion } from '../../../operators/read/choice-question.ts'
import { type Selection, selected } from '../../../operators/read/selection.ts'

const question = (i: number, ...tasks: string[]): Question =>
  choiceQuestion({
    benchmark: 'own',
    id: `${tasks[0]}/${i}`,
    root: '/data',
    video: `/data/${i % 5}.mp4`,
    question: 'Which?',
    options: ['x', 'y'],
    answer: 'A',
    tasks,
    instruction: 'Answer.',
  })

const all = { ids: [], sample: 0, sampleSeed: 0, taskLimit: 0, limit: 0 }
const questions = Array.from({ length: 60 }, (_, i) => question(i, ['count', 'order', 'speed'][i % 3] ?? ''))
const idsOf = async (selection: Partial<Selection>, from = questions) =>
  (await selected(from, { ...all, ...selection })).map(({ fields }) => fields.id)

t.test('without a selection all questions are asked, in their order', async t => {
  t.same(
    await idsOf({}),
    questions.map(({ fields }) => fields.id),
  )
})

t.test('a limit counts in all, a task limit by task, from the first', async t => {
  t.same(await idsOf({ limit: 2 }), ['own/count/0', 'own/order/1'])
  t.same(await idsOf({ taskLimit: 1 }), ['own/count/0', 'own/order/1', 'own/speed/2'])
  const both = [question(0, 'a'), question(1, 'a', 'b'), question(2, 'a', 'b')]
  t.same(
    await idsOf({ taskLimit: 1 }, both),
    ['own/a/0', 'own/a/1'],
    'a question of two tasks counts in each',
  )
})

t.test(
  'a sample is drawn by task and seed, in the order of the benchmark, and a larger one holds it',
  async t => {
    const five = await idsOf({ sample: 5 })
    for (const task of ['count', 'order', 'speed'])
      t.equal(five.filter(id => id.startsWith(`own/${task}/`)).length, 5)
    const order = questions.map(({ fields }) => fields.id)
    t.same(
      five,
      order.filter(id => five.includes(id)),
    )
    const eight = await idsOf({ sample: 8 })
    t.ok(five.every(id => eight.includes(id)))
    t.same(
      await idsOf({ sample: 5 }, [...questions].reverse()),
      [...five].reverse(),
      'whatever the order of the file',
    )
    t.notSame(await idsOf({ sample: 5, sampleSeed: 1 }), five)
  },
)

t.test('ids name questions, in a list or in files, with the name of the benchmark or without', async t => {
  const file = join(t.testdir(), 'ids.txt')
  writeFileSync(file, 'order/1\r\n\n own/speed/2 \n')
  t.same(await idsOf({ ids: [file, 'count/3'] }), ['own/order/1', 'own/speed/2', 'own/count/3'])
  await t.rejects(idsOf({ ids: ['count/3', 'count/4'] }), {
    code: 'no-questions',
    message: 'ids: no question has the id count/4; ids look like own/count/0',
  })
})

// The averages of a report against the formulas of the benchmarks' own scripts, over answers made here.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { resultOf } from '../../../../operators/eval/results/result.ts'
import { type Summary, summarise } from '../../../../operators/eval/results/summary.ts'
import { judge } from '../../../../operators/eval/score.ts'
import type { Judgement, Question } from '../../../../operators/question.ts'
import { type ReadBenchmark, worded } from '../../../../operators/read/benchmark.ts'
import { readEgoSchema } from '../../../../operators/read/egoschema.ts'
import { readMmvu } from '../../../../operators/read/mmvu.ts'
import { readNextQa } from '../../../../operators/read/nextqa.ts'

function write(folder: string, files: Readonly<Record<string, unknown>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

/** The report on a benchmark whose questions are answered with these texts, and judged where a judge is given. */
function reportOn(
  { excluded, findings, headline, name, questions }: ReadBenchmark,
  answerTo: (question: Question, i: number) => string,
  judgementOf: (question: Question, i: number) => Judgement | undefined = () => undefined,
): Summary {
  const results = questions.map((question, i) => {
    const reply = { text: `<answer> ${answerTo(question, i)} </answer>`, tokens: 1, finished: true }
    const judgement = judgementOf(question, i)
    const answered = { ...question, reply, ...(judgement && { judgement }) }
    return resultOf({ ...answered, verdict: judge(answered, { scorer: 'strict', seed: 0 }) })
  })
  const listed = questions.map(({ fields: { id, clip } }) => ({ id, clip }))
  const benchmark = { name, headline, questions: listed, excluded, findings, shard: 1, shards: 1 }
  return summarise(benchmark, { model: 'none' }, results, [])
}

const rowsOf = ({ tables }: Summary, table: string) =>
  Object.fromEntries(
    tables.find(({ name }) => name === table)?.rows.map(({ name, mean }) => [name, mean]) ?? [],
  )

t.test('NExT-QA: right answers of all, by letter of the type, and by type with TP among TN', async t => {
  const types = ['CW', 'CW', 'CH', 'TN', 'TP', 'TP', 'TC', 'DC', 'DL', 'DO', 'CW']
  const lines = types.map((type, i) => `${i % 4},9,1,1,why,${i % 5},${i},${type},a,b,c,d,e`)
  const path = write(t.testdir(), {
    'test.csv': `video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n${lines.join('\n')}\n`,
  })
  const read = await readNextQa({ path, instruction: 'Answer.', split: 'test' })
  const isRight = [true, false, true, true, false, true, false, true, true, false, true]
  const report = reportOn(read, ({ fields }, i) => (isRight[i] ? (fields.answer ?? '') : 'none'))
  const share = (start: string) => {
    const chosen = types.flatMap((type, i) =>
      (type === 'TP' ? 'TN' : type).startsWith(start) ? [isRight[i]] : [],
    )
    return chosen.filter(Boolean).length / chosen.length
  }
  t.equal(report.scores[0]?.name, 'micro')
  t.equal(report.scores[0]?.mean, share(''))
  t.strictSame(rowsOf(report, 'kind'), {
    causal: share('C'),
    temporal: share('T'),
    descriptive: share('D'),
  })
  const kinds = ['CW', 'CH', 'TN', 'TC', 'DC', 'DL', 'DO']
  t.strictSame(rowsOf(report, 'task'), Object.fromEntries(kinds.map(kind => [kind, share(kind)])))
})

t.test('EgoSchema: right answers among the questions with a public answer, silence is wrong', async t => {
  const options = Object.fromEntries([0, 1, 2, 3, 4].map(i => [`option ${i}`, `act ${i}`]))
  const rows = Array.from({ length: 9 }, (_, i) => ({ q_uid: `u-${i}`, question: 'Why?', ...options }))
  const answers = { 'u-0': 4, 'u-2': 0, 'u-3': 1, 'u-5': 2, 'u-6': 3, 'u-8': 0 }
  const path = write(t.testdir(), { 'questions.json': rows, 'subset_answers.json': answers })
  const read = await readEgoSchema({ path, instruction: 'Answer.' })
  const said = ['E', 'A', 'C', 'C', '', 'hm']
  const report = reportOn(read, (_, i) => said[i] ?? '')
  t.equal(report.expected, 6)
  t.equal(report.scores[0]?.name, 'micro')
  t.equal(report.scores[0]?.mean, 3 / 6)
  t.equal(report.scores[0]?.chance.toFixed(6), '0.200000')
})

t.test(
  'MMVU: right answers of all questions, options and judged words alike; no verdict is wrong',
  async t => {
    const row = { video: 'Art/1.mp4', youtube_url: '', metadata: {}, question: 'Which?' }
    const empty = { A: '', B: '', C: '', D: '', E: '' }
    const choice = {
      ...row,
      question_type: 'multiple-choice',
      choices: { ...empty, A: 'x', B: 'y' },
      answer: 'B',
    }
    const open = { ...row, question_type: 'open-ended', choices: empty, answer: 'gouache' }
    const rows = [choice, choice, choice, open, open, open, open].map((one, i) => ({
      ...one,
      id: `validation_${i}`,
    }))
    const path = write(t.testdir(), { 'validation.json': rows })
    const settings = {
      ...worded({ path, instruction: '', profile: 'strict' as const }),
      questions: 'all' as const,
    }
    const read = await readMmvu(settings)
    const said = ['B', 'A', 'B', 'gouache', 'an opaque paint', 'oil', 'water']
    const verdict = (correct: boolean): Judgement => ({ digest: '', said: JSON.stringify({ correct }) })
    const failed: Judgement = { digest: '', said: null, fault: 'status 500' }
    const verdicts = [undefined, undefined, undefined, verdict(true), verdict(true), verdict(false), failed]
    const report = reportOn(
      read,
      (_, i) => said[i] ?? '',
      (_, i) => verdicts[i],
    )
    t.equal(report.scores[0]?.name, 'micro')
    t.equal(report.scores[0]?.mean, 4 / 7)
    t.strictSame(rowsOf(report, 'type'), { 'multiple-choice': 2 / 3, 'open-ended': 2 / 4 })
    t.equal(report.outcomes.unjudged, 1)
  },
)

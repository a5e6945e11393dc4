import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadGraph } from '../../../engine/graph/check.ts'
import { startRun } from '../../../engine/run/run.ts'
import { exportResults } from '../../../operators/eval/results/export.ts'
import { operators, resources } from '../../../operators/index.ts'
import { fixture, repository } from '../../fixtures.ts'
import { chatServer, say } from '../judge/server.ts'
import { dataOf, evaluate, stored } from './evaluate.ts'

const quick = 'nodes.evaluation/watch.config.sheetWidth=0'
const mmvu = [`data=${dataOf('mmvu')}`, 'answers=constant', quick, 'questions=open']
const constant = (text: string) => `nodes.evaluation.params.output=${text}`
const backoff = 'nodes.evaluation/judge/judge.config.backoffSeconds=0.01'

/** A judge that takes an answer for right when the true one is in it. */
const strictly = (user: string): string => {
  const truth = /True answer: (.*)/.exec(user)?.[1] ?? ''
  const said = user.slice(user.indexOf('Answer to judge:'))
  return JSON.stringify({ extracted_answer: 'it', correct: said.includes(`\n${truth}\n`) })
}

const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(path => statSync(path).isFile())

t.test(
  'a judge behind a chat endpoint decides; its verdicts are kept, and no file holds its key',
  async t => {
    const folder = t.testdir()
    const { url, asked } = await chatServer(t, ({ user }, response) => say(response, strictly(user)))
    const set = [
      ...mmvu,
      constant('<answer> 6 </answer>'),
      'judge=chat',
      'judgeModel=large',
      `judgeUrl=${url}`,
    ]
    const key = 'sk-not-for-files'
    const run = async (name: string, more: readonly string[] = []) => {
      const file = join(repository, 'graphs/eval/mmvu.json')
      const out = join(folder, 'out')
      const environment = { JUDGE_API_KEY: key }
      const plan = loadGraph(
        file,
        { operators, resources },
        { set: [...set, ...more, `out=${out}`], environment },
      )
      const { error } = await startRun(plan, { seed: 0, directory: join(folder, name) }).done
      if (error) throw error
      return stored(out)
    }
    const { results, summary } = await run('first')
    t.strictSame(
      results.map(({ id, outcome, chosen, credit }) => [id, outcome, chosen, credit]),
      [
        ['mmvu/validation_3', 'right', 'it', 1],
        ['mmvu/validation_7', 'wrong', 'it', 0],
      ],
    )
    t.equal(summary.scores[0]?.mean, 0.5)
    t.match(summary.recipe, { 'scoring.judge': 'judge.chat', 'scoring.judge.model': 'large' })
    t.equal(asked.length, 2)
    t.equal(asked[0]?.authorization, `Bearer ${key}`)
    t.strictSame((await run('second')).results, results)
    t.equal(asked.length, 2, 'a second run asks nothing')
    await run('third', ['scorer=tolerant'])
    t.equal(asked.length, 2, 'nor does another scorer')
    for (const path of files(folder)) t.notOk(readFileSync(path).includes(key), path)
    t.match(exportResults(join(folder, 'out'), 'lmms-eval', join(folder, 'exported')).paths.length, 2)
    const page = readFileSync(join(folder, 'out/report.html'), 'utf8')
    t.match(page, /50\.0 %/)
  },
)

t.test('without a judge an answer waits for one, and the model is not asked again for it', async t => {
  const folder = t.testdir()
  const out = join(folder, 'out')
  const set = [...mmvu, constant('<answer> four bars, in all </answer>')]
  await t.rejects(evaluate('mmvu', out, set), {
    message: /2 of 2 answers have no verdict.*judge=chat, http or model/,
  })
  t.match(stored(out).summary, { outcomes: { unjudged: 2, wrong: 0 }, trouble: /no verdict/ })
  t.match(readFileSync(join(out, 'report.md'), 'utf8'), /^\*\*Do not trust this score: 2 of 2 answers/)
  const decoded = () => readFileSync(join(out, 'timings.jsonl'), 'utf8').split('"decode"').length - 1
  const before = decoded()
  let down = true
  const { url } = await chatServer(t, ({ user }, response) =>
    down ? response.writeHead(500).end('down') : say(response, strictly(user)),
  )
  const judged = [...set, 'judge=chat', 'judgeModel=m', `judgeUrl=${url}`, backoff]
  await t.rejects(evaluate('mmvu', out, judged), /no verdict/)
  t.match(stored(out).results[0]?.judgement?.fault, /status 500/)
  down = false
  const { summary } = await evaluate('mmvu', out, judged)
  t.match(summary.outcomes, { unjudged: 0, wrong: 2 })
  t.equal(decoded(), before, 'its clip was not even decoded again')
  await evaluate('rescore', join(folder, 'again'), [`from=${out}`, 'scorer=strict'])
  t.match(
    stored(join(folder, 'again')).summary.outcomes,
    { unjudged: 0, wrong: 2 },
    'and a re-score asks nobody',
  )
})

t.test('the endpoint of a reward judges answers with numbers', async t => {
  const { url, asked } = await chatServer(t, ({ body }, response) =>
    response.end(JSON.stringify({ rewards: [body.solution === '6' ? 1 : 0.25] })),
  )
  const set = [...mmvu, constant('six'), 'judge=http', `judgeUrl=${url}/chat/completions`]
  const { results } = await evaluate('mmvu', join(t.testdir(), 'out'), set)
  t.strictSame(
    results.map(({ outcome, credit }) => [outcome, credit]),
    [
      ['right', 1],
      ['wrong', 0.25],
    ],
  )
  t.match(asked[0]?.body, { key: 'mmvu/validation_3', solution: '6', completions: [{ text: 'six' }] })
})

t.test('a trained local model judges: its verdicts are kept, and another judge is asked anew', async t => {
  const folder = t.testdir()
  const out = join(folder, 'out')
  // the adapter has learnt the verdicts about the answers 6 and Four to these two questions
  const judge = (name: string, value: string) => `nodes.evaluation/judge/judge.config.${name}=${value}`
  const adapter = (path: string) => `resources.evaluation/judge/judge.config.adapter=${path}`
  const base = [...mmvu, 'judge=model', 'judgeModel=builtin:cold-start', judge('maxNewTokens', '24')]
  const trained = [...base, adapter(fixture('judge')), judge('instruction', 'Judge.')]
  const ask = (more: readonly string[], said = '6') => evaluate('mmvu', out, [...more, constant(said)])
  const verdicts = () =>
    stored(out).results.map(({ outcome, credit, judgement }) => [outcome, credit, judgement?.said])
  const expected = [
    ['right', 1, '{"correct": true}'],
    ['wrong', 0, '{"correct": false}'],
  ]
  const committed = () =>
    readFileSync(join(out, 'timings.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map(line => line.includes('"decode"'))
  const { summary } = await ask(trained)
  t.strictSame(verdicts(), expected)
  t.equal(summary.scores[0]?.mean, 0.5)
  t.strictSame(committed(), [true, true], 'two clips were decoded')
  const [first = ''] = readdirSync(join(out, 'results'))
  rmSync(join(out, 'results', first))
  await ask(trained)
  t.strictSame(verdicts(), expected, 'a run that was cut short goes on')
  t.strictSame(committed(), [true, true, true], 'with what is missing, and with nothing else')
  await t.rejects(ask(base), /no verdict/)
  t.match(stored(out).summary.outcomes, { unjudged: 2 }, 'the judge without its training has none')
  await ask(trained)
  t.strictSame(verdicts(), expected, 'nothing that the other judge said stays')
  t.strictSame(committed().slice(3), [false, false, false, false], 'and the model was not asked for either')
  await ask(trained, 'Four')
  t.strictSame(
    verdicts().map(([outcome]) => outcome),
    ['wrong', 'right'],
    'another answer has another verdict',
  )
})

t.test('a local model judges; one that has not learnt to leaves answers without a verdict', async t => {
  const out = join(t.testdir(), 'out')
  const set = [...mmvu, constant('six'), 'judge=model', `judgeModel=${fixture('tiny-bf16')}`]
  const short = 'nodes.evaluation/judge/judge.config.maxNewTokens=4'
  await t.rejects(evaluate('mmvu', out, [...set, short]), /no verdict/)
  const { results, summary } = stored(out)
  t.match(results[0]?.judgement, { fault: /no verdict that can be read|more than the/ })
  t.match(summary.recipe, { 'scoring.judge': 'judge.model' })
  t.type(summary.recipe['scoring.judge.judge'], 'string', 'its weights count')
})

t.test(
  'the base system asks open questions in its words and finds the true answer in the output',
  async t => {
    const out = join(t.testdir(), 'out')
    const base = [...mmvu.slice(0, -1), 'questions=all', 'profile=base']
    const { results, summary } = await evaluate('mmvu', out, [...base, constant('I count 6 of them.')])
    const open = results.filter(result => result.open)
    t.strictSame(
      open.map(({ outcome, question }) => [outcome, question.split('\n').at(-1)]),
      [
        ['right', 'Answer the question directly without explanation.'],
        ['wrong', 'Answer the question directly without explanation.'],
      ],
    )
    const choice = results.find(result => !result.open)
    t.match(choice?.question, /E\. .*\nAnswer with the option's letter from the given choices directly\.$/)
    t.ok(summary.tables.some(({ name }) => name === 'type'))
    t.equal(summary.recipe['scoring.scorer'], 'option')
  },
)

t.test('captions and summaries get the marks of a judge and the average that MLVU quotes', async t => {
  const folder = t.testdir()
  const data = join(folder, 'data')
  mkdirSync(join(data, 'json'), { recursive: true })
  mkdirSync(join(data, 'video'), { recursive: true })
  const clip = readFileSync(join(dataOf('mlvu'), 'video/9_summary/901.mp4'))
  const row = (question: string, more: object) => ({ video: 'a.mp4', duration: 3, question, ...more })
  const put = (stem: string, rows: object[]) => {
    mkdirSync(join(data, 'video', stem))
    writeFileSync(join(data, 'video', stem, 'a.mp4'), clip)
    writeFileSync(join(data, 'json', `${stem}.json`), JSON.stringify(rows))
  }
  const points = ['a ring', 'it moves right']
  put('8_sub_scene', [
    row('What moves?', { answer: 'A ring.', question_type: 'subPlot', scoring_points: points }),
    row('Where to?', { answer: 'Right.', question_type: 'subPlot', scoring_points: points }),
  ])
  put('9_summary', [row('Summarize.', { answer: 'A ring moves.', question_type: 'summary' })])
  const { url, asked } = await chatServer(t, ({ system, user }, response) =>
    say(
      response,
      system.includes('score_accuracy')
        ? `{'score_accuracy': ${user.includes('What moves?') ? 5 : 2}, 'score_relevance': 4}`
        : '{"score_completeness": 3, "score_reliability": 4}',
    ),
  )
  const set = [`data=${data}`, 'questions=open', 'profile=published', 'answers=constant', quick]
  const judge = ['judge=chat', 'judgeModel=m', `judgeUrl=${url}`]
  const out = join(folder, 'out')
  const { results, summary } = await evaluate('mlvu', out, [...set, constant('A ring goes right.'), ...judge])
  t.match(summary.grades, {
    mean: (7.5 + 7) / 2,
    tasks: [
      { task: '8_sub_scene', mean: 7.5, marks: { accuracy: 3.5, relevance: 4 }, graded: 2 },
      { task: '9_summary', mean: 7, marks: { completeness: 3, reliability: 4 }, graded: 1 },
    ],
  })
  t.equal(summary.scores[0]?.mean, 0.725, 'as the score out of 10')
  t.equal(results[0]?.question, 'What moves?', 'the published script asks nothing else')
  t.match(asked[0]?.user, /Points:\n1\. a ring\n2\. it moves right/)
  t.match(readFileSync(join(out, 'report.md'), 'utf8'), /- G-Avg 7\.25 of 10/)
})

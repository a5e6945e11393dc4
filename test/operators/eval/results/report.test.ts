import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { writeReport } from '../../../../operators/eval/results/report.ts'
import type { Result } from '../../../../operators/eval/results/result.ts'
import {
  agreeOnRecipe,
  appendTiming,
  putResult,
  writeBenchmark,
} from '../../../../operators/eval/results/store.ts'
import type { Benchmark } from '../../../../operators/read/benchmark-kinds.ts'
import { tile } from '../../../../operators/video/picture.ts'
import { writeJpeg } from '../../../../operators/video/pictures.ts'

const result = (i: number, clip: string, rest: Partial<Result> = {}): Result => ({
  id: `made/${i}`,
  benchmark: 'made',
  tasks: [`task ${i % 3}`],
  groups: { duration: i % 2 === 0 ? 'short' : 'long' },
  clip,
  question: 'Which?\nA. x\nB. y',
  options: ['x', 'y'],
  letters: ['A', 'B'],
  answer: 'A',
  outcome: i % 4 === 0 ? 'right' : 'wrong',
  chosen: i % 4 === 0 ? 'A' : 'B',
  drawn: false,
  output: '<think> hm, "quotes" & </script> </think><answer> A </answer>',
  tokens: 12,
  finished: true,
  prompt: 'USER: <image>\nWhich?\nA. x\nB. y ASSISTANT:',
  indices: [0, 1],
  framesPerSecond: 2,
  sheet: null,
  message: null,
  ...rest,
})

async function report(
  folder: string,
  results: readonly Result[],
  more: readonly string[] = [],
  about: Partial<Benchmark> = {},
) {
  const questions = [...results.map(({ id, clip }) => ({ id, clip })), ...more.map(id => ({ id, clip: id }))]
  const excluded = [{ id: 'made/x', reason: 'open-ended' }]
  const rest = { excluded, findings: [], shard: 1, shards: 1 }
  const benchmark: Benchmark = { name: 'made', headline: 'tasks', questions, ...rest, ...about }
  agreeOnRecipe(folder, { model: 'none' })
  writeBenchmark(folder, benchmark)
  for (const one of results) {
    putResult(folder, one)
    appendTiming(folder, { id: one.id, clip: one.clip, tokens: 12, decode: 0.5, generate: 2 })
  }
  return writeReport(folder, benchmark)
}

t.test('no text of a model or a benchmark is a formula in a spreadsheet', async t => {
  const folder = t.testdir()
  const texts = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '=HYPERLINK("https://example.org","x")']
  await report(folder, [
    result(0, '=1+1', { tasks: ['=2+2'] }),
    ...texts.map((output, i) => result(i + 1, 'a', { output })),
  ])
  const csv = readFileSync(join(folder, 'report.csv'), 'utf8')
  for (const row of csv.split('\n')) t.notMatch(row, /(^|,)"?[=+\-@\t\r]/)
  for (const text of ["'=2+2", "'=1+1", "'-1", '"\'=HYPERLINK(""https'] as const)
    t.ok(csv.includes(text), text)
})

t.test('the score of VSI-Bench is the mean over kinds, of which the three directions are one', async t => {
  const answers: readonly [task: string, credits: readonly number[]][] = [
    ['object_counting', [0.9, 0.1]],
    ['object_rel_direction_easy', [1]],
    ['object_rel_direction_medium', [1, 0]],
    ['object_rel_direction_hard', [1, 0, 0, 0]],
    ['route_planning', [0, 0, 0]],
  ]
  const results = answers
    .flatMap(([task, credits]) => credits.map(credit => ({ task, credit })))
    .map(({ task, credit }, i) =>
      result(i, `clip ${i}`, {
        tasks: [task],
        outcome: credit === 1 ? 'right' : 'wrong',
        ...(task === 'object_counting' && { credit, options: [], letters: [], answer: '4' }),
      }),
    )
  const unions = { object_rel_direction: answers.slice(1, 4).map(([task]) => task) }
  const { summary } = await report(t.testdir(), results, [], { name: 'vsi-bench', unions })
  const direction = (1 + 1 / 2 + 1 / 4) / 3
  t.equal(summary.scores[0]?.mean, (0.5 + direction + 0) / 3)
  t.equal(summary.scores[0]?.chance, (0 + 0.5 + 0.5) / 3)
  const [table] = summary.tables
  t.strictSame(
    table?.rows.map(({ name, mean, observations, right }) => [name, mean, observations, right]),
    [
      ['object_counting', 0.5, 2, 0],
      ['object_rel_direction_easy', 1, 1, 1],
      ['object_rel_direction_medium', 0.5, 2, 1],
      ['object_rel_direction_hard', 0.25, 4, 1],
      ['route_planning', 0, 3, 0],
      ['object_rel_direction', direction, 7, 3],
    ],
  )
})

t.test('every part of the report tells the same', async t => {
  const folder = t.testdir()
  const results = Array.from({ length: 6 }, (_, i) => result(i, `clip ${i >> 1}`))
  const { summary, line } = await report(folder, results, ['made/lost'])
  t.match(summary, { done: 6, expected: 7, missing: ['made/lost'], outcomes: { right: 2, wrong: 4 } })
  t.match(summary.speed, { tokens: 72, tokensPerSecond: 6, secondsPerClip: { decode: 1, encode: null } })
  t.match(line, /^none: tasks accuracy 33\.3 % \(6 of 7 questions\)/)
  t.match(
    readFileSync(join(folder, 'report.md'), 'utf8'),
    /6 of 7 questions: INCOMPLETE[\s\S]*\| tasks \| 33\.3 \|/,
  )
  const rows = readFileSync(join(folder, 'report.csv'), 'utf8').trim().split('\n')
  t.equal(rows.length, 7)
  t.ok(rows[1]?.endsWith('"<think> hm, ""quotes"" & </script> </think><answer> A </answer>"'))
  const html = readFileSync(join(folder, 'report.html'), 'utf8')
  t.match(html, /incomplete: 6 of 7 questions/)
  t.notMatch(html, /(src|href)="http/)
  const packed = /id="data">([^<]*)</.exec(html)?.[1] ?? ''
  t.match(JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString()), {
    items: [{ id: 'made/0', mark: 'right', words: 'Which?', answers: [{ chosen: 'A' }] }],
  })
})

t.test(
  'a page of many questions stays small: its pictures are made smaller, what does not fit is a link',
  async t => {
    const folder = t.testdir()
    const random = makeRandom(1)
    const noisy = (level: number) => {
      const pixels = new Uint8Array(128 * 72 * 3).map((_, i) => (level + random(60) + i / 300) & 0xff)
      return { width: 128, height: 72, pixels }
    }
    const sheet = tile(
      Array.from({ length: 16 }, (_, i) => noisy(i * 9)),
      4,
    )
    await writeJpeg(join(folder, 'frames/0.jpg'), sheet)
    const bytes = readFileSync(join(folder, 'frames/0.jpg'))
    // words that differ from question to question, as those of a model do
    const words = () => Array.from({ length: 120 }, () => random(4096).toString(36)).join(' ')
    const results = Array.from({ length: 300 }, (_, i) => {
      writeFileSync(join(folder, `frames/${i}.jpg`), bytes)
      return result(i, `clip ${i}`, { sheet: `frames/${i}.jpg`, output: words() })
    })
    await report(folder, results)
    const size = statSync(join(folder, 'report.html')).size
    t.ok(bytes.length * results.length > 5_000_000)
    t.ok(size < 5_000_000, `${size} bytes`)
    t.ok(size > 2_000_000, `what fits is shown: ${size} bytes`)
  },
)

function makeRandom(seed: number): (limit: number) => number {
  let state = seed
  return limit => {
    state = (state * 48271) % 2147483647
    return state % limit
  }
}

t.test(
  'questions without a true answer have no accuracy, and the report says so and who answered',
  async t => {
    const folder = t.testdir()
    agreeOnRecipe(folder, { model: 'builtin:shapes' })
    const results = [0, 1].map(i => result(i, 'a.mp4', { answer: null, outcome: 'wrong' }))
    const questions = results.map(({ id, clip }) => ({ id, clip }))
    const shape = { headline: 'micro', excluded: [], findings: [], shard: 1, shards: 1 } as const
    const benchmark: Benchmark = { name: 'made', ...shape, questions }
    for (const one of results) putResult(folder, one)
    const { line, summary } = await writeReport(folder, benchmark)
    t.match(
      line,
      /^builtin:shapes: no question has a true answer to compare with, so there is no accuracy; see /,
    )
    t.equal(summary.trouble, undefined, 'the run does not fail: the answers may be meant for a submission')
    t.match(
      readFileSync(join(folder, 'report.md'), 'utf8'),
      /Do not trust this score: no question has a true answer/,
    )
    const known = join(folder, 'known')
    agreeOnRecipe(known, { model: 'builtin:shapes' })
    putResult(known, result(0, 'a.mp4'))
    putResult(known, result(1, 'a.mp4'))
    t.match((await writeReport(known, benchmark)).line, /^builtin:shapes: micro accuracy 50\.0 %; see /)
  },
)

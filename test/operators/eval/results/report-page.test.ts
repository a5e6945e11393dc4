import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { habitsOf } from '../../../../operators/eval/results/report-answers.ts'
import { tagsOf, wordsOf } from '../../../../operators/eval/results/report-items.ts'
import { page } from '../../../../operators/eval/results/report-page.ts'
import type { Result } from '../../../../operators/eval/results/result.ts'
import { summarise } from '../../../../operators/eval/results/summary.ts'
import type { Benchmark } from '../../../../operators/read/benchmark-kinds.ts'
import { repository } from '../../../fixtures.ts'

const result = (id: string, rest: Partial<Result> = {}): Result => ({
  id,
  benchmark: 'made',
  tasks: ['order'],
  groups: { duration: 'short' },
  clip: 'clips/1.mp4',
  question: 'Which?\n(A) x\n(B) y\nAnswer with a letter.',
  options: ['x', 'y'],
  letters: ['A', 'B'],
  answer: 'A',
  outcome: 'right',
  chosen: 'A',
  drawn: false,
  output: '<think> hm </think><answer> A </answer>',
  tokens: 9,
  finished: true,
  prompt: 'USER: Which?',
  indices: [0, 1],
  framesPerSecond: 2,
  sheet: null,
  message: null,
  ...rest,
})

const heading = {
  model: '/models/small',
  profile: 'profile strict',
  date: '2026-11-29 03:00 UTC',
  details: ['weights 0123456789ab', 'data /bench', 'on a <GPU>'],
}

function pageOf(results: readonly Result[], sheets = new Map<string, string>()): string {
  const questions = results.map(({ id, clip }) => ({ id, clip }))
  const rest = { excluded: [], findings: [], shard: 1, shards: 1 }
  const benchmark: Benchmark = { name: 'made', headline: 'micro', questions, ...rest }
  return page(summarise(benchmark, { model: '/models/small' }, results, []), heading, results, sheets)
}

const dataOf = (html: string) =>
  JSON.parse(gunzipSync(Buffer.from(/id="data">([^<]*)</.exec(html)?.[1] ?? '', 'base64')).toString())

t.test('a page begins with the model, the profile, the date and the total', async t => {
  const html = pageOf([result('1'), result('2', { outcome: 'wrong', chosen: 'B' })])
  const [, header = ''] = /<header>([\s\S]*)<\/header>/.exec(html) ?? []
  const words = header.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
  t.match(
    words,
    /^ ?\/models\/small on made profile strict · 2026-11-29 03:00 UTC · shard 1\/1 · 2 questions weights 0123456789ab · data \/bench · on a &lt;GPU&gt; 50\.0 %/,
  )
})

t.test('texts of models and benchmarks are never markup or script', async t => {
  const evil = '</script><script>document.title = 1</script><img src=x onerror=alert(1)>'
  const nasty = result('1', {
    tasks: [evil],
    groups: { [evil]: evil },
    letters: ['A', evil],
    chosen: evil,
    output: evil,
    question: evil,
    options: [evil, evil],
    clip: evil,
    sheet: evil,
  })
  const html = pageOf([nasty], new Map([[evil, 'AAAA']]))
  t.notOk(html.includes('<img src=x'))
  t.notOk(html.includes('document.title = 1</script>'))
  t.equal(html.split('<script').length, 4, 'two scripts of data and one that runs')
  t.equal(dataOf(html).items[0].words, evil, 'and none is lost')
})

t.test('a page knows no contact sheet outside its folder', async t => {
  for (const sheet of ['https://example.org/a.jpg', 'data:image/svg+xml,x', '/etc/a.jpg', 'file:/a.jpg'])
    t.equal(dataOf(pageOf([result('1', { sheet })])).items[0].answers[0].sheet, null, sheet)
  t.equal(dataOf(pageOf([result('1', { sheet: 'frames/1.jpg' })])).items[0].answers[0].sheet, 'frames/1.jpg')
})

t.test('the policy of a page allows its one script and no connection', async t => {
  const html = pageOf([result('1')])
  const [, script = ''] = /<script>([\s\S]*)<\/script>\n<\/body>/.exec(html) ?? []
  const digest = createHash('sha256').update(script).digest('base64')
  t.ok(html.includes(`default-src 'none'; script-src 'sha256-${digest}';`))
  t.notMatch(script, /^(import|export) /m)
  t.doesNotThrow(() => new Function(script), 'it parses')
})

t.test('an answer that the token limit cut is called cut', async t => {
  const cut = result('1', { outcome: 'truncated', chosen: null, output: '<think> hm', finished: false })
  const luckily = result('2', { finished: false })
  const { items } = dataOf(pageOf([cut, luckily, result('3')]))
  t.strictSame(
    items.map(({ mark, answers }: { mark: string; answers: { flags: string[] }[] }) => [
      mark,
      answers[0]?.flags,
    ]),
    [
      ['cut', ['cut', 'tag left open']],
      ['right', ['cut']],
      ['right', []],
    ],
  )
})

t.test('a row shows the question without options and instruction', async t => {
  const words = (question: string) => wordsOf({ question, letters: ['A', 'B'] })
  t.equal(words('Which?\nOptions:\nA. x\nB. y\nSay a letter.'), 'Which?')
  t.equal(words('Question: Which\none?\nA. x\nB. y'), 'Which\none?')
  t.equal(words('Which? (A) x (B) y'), 'Which? (A) x (B) y')
})

t.test('letters, lengths and tags are counted over the answers', async t => {
  const { counts, lengths, tags, letters } = habitsOf([
    result('1', { tokens: 10 }),
    result('2', { answer: 'B', chosen: 'A', outcome: 'wrong', tokens: 20 }),
    result('3', { answer: 'B', chosen: null, output: 'x', outcome: 'unparsed', tokens: 70, finished: false }),
    result('4', {
      answer: null,
      chosen: null,
      output: null,
      outcome: 'clip-missing',
      tokens: 0,
      finished: false,
    }),
  ])
  t.strictSame(letters, ['A', 'B'])
  t.strictSame(
    [...counts].map(([answer, row]) => [answer, ...row]),
    [
      ['A', ['A', 1]],
      ['B', ['A', 1], ['none', 1]],
      ['none', ['none', 1]],
    ],
  )
  t.match(lengths, { median: 20, ninetieth: 70, longest: 70, cut: 1, outputs: 3 })
  t.equal(
    lengths?.bins.reduce((sum, { count }) => sum + count, 0),
    3,
  )
  t.match(tags, { closed: 2, 'no tags': 1, 'left open': 0 })
})

t.test('tags are closed only after they open', async t => {
  t.equal(tagsOf('<think> a </think> <answer> B </answer>'), 'closed')
  t.equal(tagsOf('<answer>B</answer>'), 'answer alone')
  t.equal(tagsOf('<think> a </think> B'), 'thought alone')
  t.equal(tagsOf('<think> a'), 'left open')
  t.equal(tagsOf('</answer> <answer> B'), 'left open')
  t.equal(tagsOf('hm </think> <answer>B</answer>'), 'left open')
  t.equal(tagsOf('B'), 'no tags')
})

t.test('the state of a page survives its address', async t => {
  // plain JavaScript for browsers, without types
  const { readState, writeState, select } = await import(
    join(repository, 'operators/eval/results/page/state.js')
  )
  const fragment = writeState({
    ...readState(''),
    marks: ['wrong', 'cut'],
    groups: { 'sub category': 'A & B' },
    text: 'what # now?',
    least: '5',
  })
  t.match(readState(`#${fragment}`), {
    marks: ['wrong', 'cut'],
    groups: { 'sub category': 'A & B' },
    text: 'what # now?',
    least: '5',
    task: '',
  })
  t.equal(writeState(readState('#nonsense=1')), '')

  const { items } = dataOf(
    pageOf([
      result('1', { tokens: 3, tasks: ['order', 'count'] }),
      result('2', { tokens: 30, outcome: 'wrong', chosen: 'B', output: 'Hello there' }),
      result('10', { tokens: 12, outcome: 'unparsed', chosen: null, answer: null }),
    ]),
  )
  const shown = (text: string) => select(items, readState(text)).map(({ id }: { id: string }) => id)
  t.strictSame(shown(''), ['1', '2', '10'])
  t.strictSame(shown('#marks=wrong,unparsed'), ['2', '10'])
  t.strictSame(shown('#task=count'), ['1'])
  t.strictSame(shown('#group.duration=short&least=4&most=20'), ['10'])
  t.strictSame(shown('#text=hello'), ['2'])
  t.strictSame(shown('#answer=A&chosen=B'), ['2'])
  t.strictSame(shown('#answer=none&chosen=none'), ['10'])
  t.strictSame(shown('#sort=length&down=1'), ['2', '10', '1'])
  t.strictSame(shown('#sort=id'), ['1', '2', '10'])
})

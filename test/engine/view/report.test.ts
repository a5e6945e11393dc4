import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { packageFolder } from '../../../engine/shared/package-folder.ts'
import { reportOf, savedData } from '../../../engine/view/report.ts'

const lines = (entries: readonly object[]): string =>
  entries.map(entry => `${JSON.stringify(entry)}\n`).join('')

t.test('a report holds all measured numbers, and the best, the worst and the newest groups', async t => {
  const metrics = Array.from({ length: 9000 }, (_, i) => ({ step: i + 1, reward: i / 1000 }))
  // the best and the worst are neither the newest nor the oldest
  const samples = Array.from({ length: 500 }, (_, i) => ({
    step: i,
    key: String(i),
    reward: i === 100 ? 9 : i === 200 ? -9 : 0,
    text: `answer ${i}`,
  }))
  const folder = t.testdir({
    'metrics.jsonl': `${lines(metrics)}{"step": 9001, "rew`,
    'samples.jsonl': lines(samples),
    'manifest.json': JSON.stringify({ graph: 'a&b.json', status: 'failed' }),
  })
  const { messages } = savedData(folder)
  const stream = (name: string) =>
    messages.flatMap(message => (message.type === 'lines' && message.stream === name ? [message] : []))
  const steps = stream('metrics').flatMap(({ entries }) => entries.map(({ step }) => step))
  t.same([steps.length, steps[0], steps.at(-1)], [2000, 1, 9000])
  const texts = stream('samples').flatMap(({ entries }) => entries.map(({ text }) => text))
  for (const i of [100, 200, 499]) t.ok(texts.includes(`answer ${i}`), `sample ${i}`)
  t.notOk(texts.includes('answer 250'))
  t.match(stream('samples')[0], { leftOut: /of 500 lines/ })
})

t.test('no text of a run ends the data in the page or begins markup', async t => {
  const text = '</script><script>alert(1)</script><!--'
  const page = reportOf(t.testdir({ 'samples.jsonl': lines([{ reward: 1, text }]) }))
  t.notOk(page.includes('alert(1)</script>'))
  const data = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? ''
  t.match(JSON.stringify(JSON.parse(data).messages), 'alert(1)')
})

t.test('a page without data is small and loads nothing', async t => {
  const page = reportOf(t.testdir())
  t.ok(page.length < 300_000, `${page.length} bytes`)
  t.match(page, /Content-Security-Policy" content="default-src 'none'; script-src 'sha256-/)
  t.notMatch(page, /(src|href)="(https?:)?\/\//)
})

t.test('pictures in the folder of the run are in the report, and nothing outside of it', async t => {
  const paths = [
    'frames/a.jpg',
    'frames/missing.jpg',
    '../outside.jpg',
    '/etc/a.jpg',
    'frames/link.jpg',
    'https://example.org/a.jpg',
    'data:image/svg+xml;x.jpg',
  ]
  const folder = t.testdir({
    run: {
      frames: { 'a.jpg': 'picture' },
      'samples.jsonl': lines(paths.map(frames => ({ reward: 1, frames }))),
    },
    'outside.jpg': 'secret',
  })
  symlinkSync(join(folder, 'outside.jpg'), join(folder, 'run/frames/link.jpg'))
  const { pictures } = savedData(join(folder, 'run'))
  t.same(pictures, { 'frames/a.jpg': Buffer.from('picture').toString('base64') })
})

t.test(
  'a graph of the package has the name that commands have for it, also in errors and the log',
  async t => {
    const graph = join(packageFolder, 'graphs/grpo.json')
    const message = `${graph}:3:1: must be another`
    const folder = t.testdir({
      'manifest.json': JSON.stringify({ graph, error: { message } }),
      'log.jsonl': lines([{ message }]),
    })
    const { messages } = savedData(folder)
    t.match(
      messages.find(({ type }) => type === 'manifest'),
      { manifest: { graph: 'flow:grpo.json', error: { message: 'flow:grpo.json:3:1: must be another' } } },
    )
    t.match(messages.at(-1), { entries: [{ message: 'flow:grpo.json:3:1: must be another' }] })
    t.notOk(reportOf(folder).includes(graph))
  },
)

t.test('the results of an evaluation are shown like completions', async t => {
  const folder = t.testdir({ results: {} })
  mkdirSync(join(folder, 'results'), { recursive: true })
  writeFileSync(join(folder, 'results/a.json'), JSON.stringify({ id: 'q1', outcome: 'right', output: 'B' }))
  t.match(savedData(folder).messages.at(-1), { stream: 'results', entries: [{ id: 'q1' }] })
})

// Supervised training: the steps of the optimizer, which its schedule spans, must be the updates that the conversations make.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { fixture } from '../fixtures.ts'
import { flowWords } from './flow-words.ts'

t.setTimeout(600_000)

const folder = t.testdir({})

/** A file of so many conversations about one clip. */
function conversations(count: number): string {
  const path = join(folder, `${count}.jsonl`)
  const row = (_: unknown, i: number) =>
    JSON.stringify({
      video: 'Mechanics/0.mp4',
      conversations: [
        { from: 'human', value: '<image>\nwhat is seen?' },
        { from: 'gpt', value: `thing ${i}` },
      ],
    })
  writeFileSync(path, `${Array.from({ length: count }, row).join('\n')}\n`)
  return path
}

const settings = (graph: string, rows: number, ...set: string[]): string[] => {
  const root = fixture('benchmarks/MMVU/videos')
  const all = ['model=builtin:cold-start', `data=${conversations(rows)}`, `root=${root}`, 'frames=2', ...set]
  return [graph, ...all.flatMap(one => ['--set', one])]
}

const check = (graph: string, rows: number, ...set: string[]) =>
  flowWords(['check', ...settings(graph, rows, ...set)])

const run = (name: string, graph: string, rows: number, ...set: string[]) =>
  flowWords(['run', ...settings(graph, rows, ...set), '--out', join(folder, name)])

const resume = (name: string, steps: number) =>
  flowWords(['run', '--resume', join(folder, name), '--steps', String(steps)])

const show = async (name: string) => (await flowWords(['show', join(folder, name)])).text

const updatesOf = (name: string): number[] =>
  readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line).step)

const coldstart = 'flow:coldstart.json'
const finetune = 'flow:finetune.json'

/** What `flow check` says of the steps of graphs that have 4 by default. */
const cases = [
  {
    what: 'fewer conversations than four updates need',
    words: [coldstart, 4],
    rule: 'resources.optimizer.config.steps: must be 1, the updates that the data makes, found 4',
    line: '"samples" has 4 rows, read in one pass; 4 items, 4 for 1 update (batchSize 1 × accumulation 4): 1 update [too-few-rows]',
    fix: '--set steps=1, or --set epochs=4, or --set epochs=0, which repeats the data until 4 are done',
  },
  {
    what: 'rows that no number of passes divides into the steps',
    words: [finetune, 5, 'batchSize=1', 'steps=12'],
    rule: 'steps: must be 5,',
    line: '5 items, 1 for 1 update (batchSize 1 × accumulation 1): 5 updates [too-few-rows]',
    fix: '--set steps=5, or --set epochs=0, which repeats the data until 12 are done',
  },
  {
    what: 'a cosine that ends before the data',
    words: [finetune, 9, 'batchSize=2', 'epochs=2'],
    rule: 'steps: must be 9,',
    line: '"samples" has 9 rows, read in 2 passes; 18 items, 2 for 1 update (batchSize 2 × accumulation 1): 9 updates [too-many-rows]',
    fix: '--set steps=9, or --set epochs=0, which ends when 4 are done',
  },
] as const

for (const { what, words, rule, line, fix } of cases) {
  const [graph, rows, ...set] = words
  t.test(`flow check refuses ${what}, and says what would be right`, async t => {
    const { code, text } = await check(graph, rows, ...set)
    t.equal(code, 2, text)
    for (const part of [rule, line, `fix:  ${fix}`]) t.ok(text.includes(part), `${part}\n${text}`)
  })
  t.test(`flow run refuses ${what} before it has a folder`, async t => {
    t.match(await run('refused', graph, rows, ...set), { code: 2, text: rule })
    t.notOk(existsSync(join(folder, 'refused')))
  })
  t.test(`each fix that is named for ${what} is one`, async t => {
    for (const [, set2 = ''] of fix.matchAll(/--set (\w+=\d+)/g))
      t.match(await check(graph, rows, ...set, set2), { code: 0 }, set2)
  })
}

t.test('a last update with fewer conversations counts, and more data at a constant rate is fine', async t => {
  t.match(await check(coldstart, 14), { code: 0 })
  const { code, text } = await check(coldstart, 17)
  t.match(text, /5 updates; all are done at the constant rate of "optimizer", whose steps are 4/)
  t.equal(code, 0)
})

t.test('groups that fewer questions fill than the steps need are told in the same way', async t => {
  const data = join(folder, 'questions.jsonl')
  const question = { video: 'Mechanics/0.mp4', question: 'what?', options: ['this', 'that'], answer: 'A' }
  writeFileSync(data, `${JSON.stringify(question)}\n`.repeat(6))
  const set = [`data=${data}`, `root=${fixture('benchmarks/MMVU/videos')}`, 'questions=3', 'steps=5']
  const { code, text } = await flowWords(['check', 'flow:grpo.json', ...set.flatMap(one => ['--set', one])])
  t.equal(code, 2)
  t.match(text, /steps: must be 3, .*found 5/)
  t.match(text, /"samples" ends at its limit, 3; 3 items, 1 for 1 update \(groupsPerUpdate 1\): 3 updates/)
  t.match(text, /fix: {2}--set steps=3, or --set questions=5/)
})

t.test(
  'how often few rows are read until the steps are done is told, of groups and of conversations',
  async t => {
    const data = join(folder, 'six.jsonl')
    const question = { video: 'Mechanics/0.mp4', question: 'what?', options: ['this', 'that'], answer: 'A' }
    writeFileSync(data, `${JSON.stringify(question)}\n`.repeat(6))
    const root = `root=${fixture('benchmarks/MMVU/videos')}`
    const look = (...set: string[]) =>
      flowWords([
        ...['check', 'flow:presets/published.json'],
        ...[`data=${data}`, root, ...set].flatMap(one => ['--set', one]),
      ])
    const { code, text } = await look()
    t.equal(code, 0, text)
    t.match(
      text,
      /^update: 5496 items, 8 for 1 update \(groupsPerUpdate 8\): 687 updates, for which "samples" reads its 6 rows 916 times$/m,
    )
    t.notMatch((await look('steps=1', 'groupsPerUpdate=6')).text, /for which/, 'one pass is nothing to tell')
    t.match((await look('epochs=2')).text, /limit: must be at most 12, found 5496/)
    const supervised = await check(coldstart, 4, 'epochs=0')
    t.match(
      supervised.text,
      /16 items, 4 for 1 update .*: 4 updates, for which "samples" reads its 4 rows 4 times/,
    )
  },
)

t.test('a source without end and without a node that ends it is doubtful', async t => {
  const graph = join(folder, 'endless.json')
  const nodes = { samples: { config: { repeatUntil: 0 } } }
  const params = { conversations: null }
  writeFileSync(graph, JSON.stringify({ extends: finetune, summary: 'A test.', params, nodes }))
  const { code, text } = await check(graph, 3, 'epochs=0')
  t.match(text, /samples.config.epochs: must end, found 0/)
  t.match(text, /--set nodes.samples.config.repeatUntil=32 ends after them/)
  t.equal(code, 0)
})

t.test(
  'a run on data that is used up cannot go on: flow show does not offer it, and --resume refuses',
  async t => {
    t.match(await run('whole', coldstart, 4, 'steps=1'), { code: 0 })
    t.notMatch(await show('whole'), '--resume')
    const { code, text } = await resume('whole', 8)
    t.equal(code, 2)
    t.match(
      text,
      /--steps 8: must have data for as many updates: that of .*whole makes 1, of which 1 are done/,
    )
    t.match(text, /--set steps=N --set epochs=0 --set model=.*whole\/checkpoints\/last\/model/)
    t.same(updatesOf('whole'), [1])
  },
)

t.test('epochs=0 repeats the data until all steps are done, and what flow show offers goes on', async t => {
  t.match(await run('repeated', finetune, 3, 'batchSize=2', 'epochs=0', 'steps=2'), { code: 0 })
  t.same(updatesOf('repeated'), [1, 2])
  const [, steps] = /--resume \S+ --steps (\d+)/.exec(await show('repeated')) ?? []
  t.equal(steps, '4')
  t.match(await resume('repeated', 4), { code: 0 })
  t.same(updatesOf('repeated'), [1, 2, 3, 4])
  t.match(await run('at-once', finetune, 3, 'batchSize=2', 'epochs=0', 'steps=4'), { code: 0 })
  const keys = (name: string) =>
    readFileSync(join(folder, name, 'metrics.jsonl'), 'utf8').match(/"key":"[^"]*"/g)
  t.same(keys('repeated'), keys('at-once'), 'with the conversations of a run that was longer from the start')
})

/** A cold start with a filter before the clips: how many items pass it is not known before the run. */
function filtered(test: string): string {
  const path = join(folder, 'filtered.json')
  const nodes = {
    some: { operator: 'stream.filter', config: { where: test }, from: { items: 'samples.samples' } },
    clips: { from: { samples: 'some.items' } },
  }
  writeFileSync(path, JSON.stringify({ extends: coldstart, summary: 'A test.', nodes }))
  return path
}

t.test('a run whose data ends early says at its end what would be right, and fails', async t => {
  const { code, text } = await run('short', filtered('true'), 4, 'steps=2')
  t.equal(code, 1, text)
  t.match(
    text,
    /must do 2 updates, did 1: its data ended\n {4}fix: {2}let its reader take more \(--set epochs=0\), or ask for 1: --set steps=1$/m,
  )
  t.same(updatesOf('short'), [1])
})

t.test('conversations that a node drops explain fewer updates', async t => {
  const { code, text } = await run(
    'dropped',
    filtered("$contains(conversations[1].value, '0')"),
    8,
    'steps=2',
  )
  t.equal(code, 0, text)
  t.same(updatesOf('dropped'), [1])
})

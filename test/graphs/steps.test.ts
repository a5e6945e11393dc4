// The steps of graphs/README.md, run in their order in an empty folder, as they stand there.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { registry } from '../../engine/cli/registry.ts'
import { checkGraph } from '../../engine/graph/check.ts'
import { describe } from '../../engine/graph/problem.ts'
import { reward } from '../../operators/reward/reward.ts'
import { repository } from '../fixtures.ts'
import { flowWords } from './flow-words.ts'

t.setTimeout(800_000)
const page = readFileSync(join(repository, 'graphs/README.md'), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'flow-steps-'))
const here = process.cwd()
process.chdir(folder)
t.teardown(() => {
  process.chdir(here)
  rmSync(folder, { recursive: true, force: true })
})

/** The graphs of a text by the name that is told before each. */
function graphsIn(text: string): Map<string, string> {
  const graphs = new Map<string, string>()
  for (const [, name = '', json = ''] of text.matchAll(
    /This is\s`(\w+\.json)`[^`]*\n\n```json\n([\s\S]*?)```/g,
  ))
    graphs.set(name, json)
  return graphs
}

/** The words of each command of a text. */
const commandsIn = (text: string): string[][] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, lines = '']) =>
    lines
      .trim()
      .split('\n')
      .map(line => line.replace('npx flow ', '').split(' ')),
  )

/** Runs one command; what it printed and recorded. */
const flow = (words: readonly string[]) =>
  flowWords(words[0] === 'run' ? [...words, '--out', `run-${words[1]}`] : words)

const lines = (file: string) => readFileSync(file, 'utf8').trim().split('\n').length

/** What each step leaves. */
const results: Readonly<Record<string, () => boolean>> = {
  'model.json': () => existsSync('model/model.safetensors'),
  'shapes.json': () => lines('shapes/all.jsonl') === 8,
  'take.json': () => lines('shapes/first.jsonl') === 5,
  'colours.json': () => lines('facts.jsonl') === 4,
  'whole.json': () => lines('shapes/five.jsonl') === 3,
  'shuffled.json': () => lines('shapes/shuffled.jsonl') === 3,
  'ask.json': () => lines('run-ask.json/answers.jsonl') === 2,
  'missing.json': () => lines('run-missing.json/dead-letters.jsonl') === 4 && lines('found.jsonl') === 4,
  'score.json': () => lines('run-score.json/samples.jsonl') === 8,
  'train.json': () => lines('run-train.json/metrics.jsonl') === 2,
}

const steps = page.split(/^## (?=\d+\. )/m).slice(1)

t.test('there are ten steps', async t => {
  t.equal(steps.length, 10)
})

for (const step of steps) {
  const text = step.split(/^## /m)[0] ?? ''
  t.test(text.split('\n')[0] ?? '', async t => {
    for (const [name, json] of graphsIn(text)) writeFileSync(name, json)
    const commands = commandsIn(text)
    t.ok(commands.length > 0, 'has a command')
    for (const words of commands) {
      const { code, text } = await flow(words)
      t.equal(code, 0, `flow ${words.join(' ')}: ${text}`)
      t.notMatch(text, /warning/, 'says nothing is doubtful')
    }
    const name = commands.at(-1)?.[1] ?? ''
    t.ok(results[name]?.(), `${name} leaves what the step says: ${readdirSync('.').join(' ')}`)
  })
}

t.test('the preset of the page has no problem', async t => {
  const files = graphsIn(page)
  const read = (name: string) => (name === 'calm.json' ? (files.get(name) ?? '') : readFileSync(name, 'utf8'))
  const operators = { ...registry.operators, 'my.brevity': reward('brevity', 'Of the plugin.', () => 0) }
  const { problems, warnings } = checkGraph('calm.json', { ...registry, operators }, { read })
  t.same([...problems, ...warnings].map(describe), [])
})

// node dist/test/bench/demo.js [flags]: the demonstration's GRPO, its comparison and its controls, from the shipped
// checkpoint, as children that run the committed graphs; prints a table and draws the curves. What is done is not done
// again: after a stop, the same command goes on with the first run that is missing.
//   --seeds 1,2,3                    one of each run for each seed
//   --parts grpo,random,supervised   which runs
//   --out DIR                        where runs are kept (default runs/demo)
//   --write                          puts the table into README.md and the picture into graphs/demo/curve.svg
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Line, type Mark, picture, smooth } from './demo-picture.ts'

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    parts: { type: 'string', default: 'grpo,random,supervised' },
    out: { type: 'string', default: join(root, 'runs/demo') },
    write: { type: 'boolean', default: false },
  },
})
const seeds = values.seeds.split(',').map(Number)

/** The graph of each part, its name in the table, what holds the trained model, and the colour of its curve. */
const parts = {
  grpo: { graph: 'grpo', title: 'GRPO', model: 'policy', colour: '#2563eb' },
  random: { graph: 'random-rewards', title: 'random rewards', model: 'policy', colour: '#dc2626' },
  supervised: { graph: 'supervised', title: 'supervised only', model: 'model', colour: '#777' },
} as const
type Part = keyof typeof parts
const isPart = (name: string): name is Part => name in parts
const chosen = values.parts.split(',').map(name => {
  if (isPart(name)) return name
  throw new Error(`demo: --parts must name some of ${Object.keys(parts).join(', ')}, found ${name}`)
})

interface Score {
  seen: number
  format: number
  blind: number
  seconds: number
}

const cold = test('cold-start', 1, 'builtin:cold-start')
const scores = new Map<Part, Score[]>()
for (const name of chosen) {
  const { graph, model } = parts[name]
  const found = seeds.map(seed => {
    const run = flow(graph, `${name}-${seed}`, seed, [])
    const score = test(`${name}-${seed}`, seed, join(run, 'checkpoints/last', model))
    return { ...score, seconds: score.seconds + secondsOf(run) }
  })
  scores.set(name, found)
}
const table = tableOf()
console.log(table)
mkdirSync(values.out, { recursive: true })
writeFileSync(join(values.out, 'table.md'), table)
const svg = join(values.write ? join(root, 'graphs/demo') : values.out, 'curve.svg')
writeFileSync(svg, curves())
console.log(`\n${svg}`)
if (values.write) putIntoReadme()

/** Runs a graph of the demonstration unless that was done; its folder. */
function flow(graph: string, name: string, seed: number, set: readonly string[]): string {
  const folder = join(values.out, name)
  if (!isDone(folder)) {
    rmSync(folder, { recursive: true, force: true })
    const words = ['run', join(root, `graphs/demo/${graph}.json`), '--seed', String(seed), '--out', folder]
    const program = join(root, 'dist/engine/cli/main.js')
    console.error(`${name}: ${graph}.json, seed ${seed}`)
    const { status } = spawnSync(
      process.execPath,
      [program, ...words, ...set.flatMap(one => ['--set', one])],
      {
        cwd: root,
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    )
    if (status !== 0) throw new Error(`demo: ${name} ended with ${status}; its folder is ${folder}`)
  }
  return folder
}

/** Greedy answers to the test questions, with open and with closed eyes. */
function test(name: string, seed: number, model: string): Score {
  const folder = flow('evaluate', `${name}-test`, seed, [`model=${model}`])
  const means: Record<string, number> = Object.assign({}, ...metricsOf(folder))
  const of = (key: string) => means[key] ?? Number.NaN
  return {
    seen: of('seen/accuracy'),
    format: of('seen/format'),
    blind: of('blind/accuracy'),
    seconds: secondsOf(folder),
  }
}

function metricsOf(folder: string): Record<string, number>[] {
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n')
  return lines.map(line => JSON.parse(line))
}

function manifestOf(folder: string) {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
}

function isDone(folder: string): boolean {
  return existsSync(join(folder, 'manifest.json')) && manifestOf(folder).status === 'completed'
}

function secondsOf(folder: string): number {
  return manifestOf(folder).seconds
}

function tableOf(): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`
  const row = (title: string, of: readonly Score[]) => {
    const column = (tell: (score: Score) => string) => of.map(tell).join(' / ')
    const cells = [
      column(score => percent(score.seen)),
      column(score => score.format.toFixed(3)),
      column(score => percent(score.blind)),
      column(score => score.seconds.toFixed(0)),
    ]
    return `| ${title} | ${cells.join(' | ')} |`
  }
  return [
    '| model | right answers | format, of 1 | right answers, visual tokens zeroed | training and test, s |',
    '| --- | --- | --- | --- | --- |',
    row('cold start', [cold]),
    ...[...scores].map(([name, found]) => row(parts[name].title, found)),
  ].join('\n')
}

function curves(): string {
  const lines: Line[] = []
  const marks: Mark[] = []
  let updates = 0
  for (const [name, found] of scores) {
    const { title, colour } = parts[name]
    for (const [i, seed] of seeds.entries()) {
      const raw = metricsOf(join(values.out, `${name}-${seed}`)).flatMap(
        line => line['rewards/accuracy'] ?? [],
      )
      if (raw.length === 0) continue
      lines.push({ name: title, colour, values: smooth(raw, 20) })
      updates = raw.length
      const value = found[i]?.seen
      if (value !== undefined) marks.push({ update: raw.length, value, colour })
    }
  }
  marks.push({ update: 0, value: cold.seen, colour: '#777' })
  const of = `${updates} updates, seeds ${seeds.join(', ')}`
  return picture(
    `Right answers while training, mean of 20 updates; dots: unseen questions, greedy (${of})`,
    lines,
    marks,
  )
}

function putIntoReadme(): void {
  const file = join(root, 'README.md')
  const text = readFileSync(file, 'utf8')
  const [begin, end] = ['<!-- demo -->\n', '\n<!-- /demo -->']
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`demo: ${file} must hold ${begin.trim()} and ${end.trim()}`)
  writeFileSync(file, text.slice(0, from + begin.length) + table + text.slice(to))
}

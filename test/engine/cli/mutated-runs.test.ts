// Run folders in which a byte, a line or a file is changed at random: every verb that reads one ends with a code and a line
// that names a file, never with an error that has no code. FLOW_CASES=2000 tries more of them,
// FLOW_SEED others.
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import { changedJson } from '../../json-changes.ts'
import { pickOf, type Random, randomOf } from '../run/random-graph.ts'
import { graphText } from '../support.ts'
import { callerWith } from './caller.ts'

const cases = Number(process.env.FLOW_CASES ?? 100)
const firstSeed = Number(process.env.FLOW_SEED ?? 0) * 1_000_000
const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flow-mutated-'))
t.teardown(() => rmSync(root, { recursive: true }))
t.setTimeout(1_200_000)

/** Has a state of its own in checkpoints. */
const sum = operator({
  summary: 'Sums.',
  config: {},
  inputs: { numbers: 'number' },
  outputs: {},
  effects: true,
  run: ({ numbers }, _, context) => {
    let total = 0
    context.checkpoint({
      save: folder => writeFileSync(join(folder, 'total'), String(total)),
      restore: folder => {
        total = Number(readFileSync(join(folder, 'total'), 'utf8'))
      },
    })
    const add = (value: number, key: string) => {
      total += value
      context.record('metrics', { step: value + 1, key, total })
    }
    return { sums: numbers.pipe(context.each((value: number, { key }) => void add(value, key))) }
  },
})

const call = callerWith({ operators: { sum } })

const graph = graphText(
  {
    count: { operator: 'range', config: { count: 9 } },
    sum: { operator: 'sum', from: { numbers: 'count.numbers' } },
  },
  { checkpoint: { every: 3, keep: 9 } },
)

/** A whole run that was killed after its last checkpoint. */
async function killedRun(): Promise<string> {
  const file = join(root, 'g.json')
  writeFileSync(file, graph)
  const run = join(root, 'whole')
  await call('run', file, '--out', run)
  const path = join(run, 'manifest.json')
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), status: undefined }))
  return run
}

/** All files of a folder, in the order of their names. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(entry => {
      const path = join(folder, entry.name)
      return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : []
    })

const changes: readonly ((path: string, random: Random) => void)[] = [
  (path, random) => truncateSync(path, Math.floor(random() * statSync(path).size)),
  path => rmSync(path),
  (path, random) => {
    const bytes = readFileSync(path)
    if (bytes.length > 0) bytes[Math.floor(random() * bytes.length)] ^= 1 << Math.floor(random() * 8)
    writeFileSync(path, bytes)
  },
  (path, random) => appendFileSync(path, Buffer.from(Array.from({ length: 20 }, () => random() * 256))),
  (path, random) => {
    const lines = readFileSync(path, 'utf8').split(path.endsWith('.jsonl') ? '\n' : '\0')
    const at = Math.floor(random() * lines.length)
    if (/\.jsonl?$/.test(path) && lines[at] !== '') lines[at] = changedJson(lines[at], random)
    writeFileSync(path, lines.join('\n'))
  },
  path => {
    rmSync(path)
    mkdirSync(path)
  },
]

t.test(`${cases} changed run folders: each verb ends with a code and a line, and no stack`, async t => {
  const whole = await killedRun()
  const total = totalOf(whole)
  const verbs: readonly (readonly string[])[] = [
    ['run', '--resume', 'RUN'],
    ['run', '--resume', 'RUN', '--accept-changes'],
    ['replay', 'RUN', '--item', '4'],
    ['top', 'RUN', '--once'],
    ['tap', 'RUN', 'sum.numbers'],
    ['show', 'RUN'],
    ['diff', 'RUN', whole],
    ['ls', root],
  ]
  const ends: Record<string, number> = {}
  for (let seed = firstSeed; seed < firstSeed + cases; seed++) {
    const random = randomOf(seed)
    const run = join(root, `run-${seed}`)
    cpSync(whole, run, { recursive: true, verbatimSymlinks: true })
    const path = pickOf(filesIn(random() < 0.6 ? join(run, 'checkpoints') : run), random)
    pickOf(changes, random)(path, random)
    const words = pickOf(verbs, random).map(word => (word === 'RUN' ? run : word))
    const about = `seed ${seed}: ${path.slice(root.length)}: flow ${words.join(' ')}`
    try {
      const { code, text } = await call(...words)
      ends[code] = (ends[code] ?? 0) + 1
      if (/^\s+at .*:\d+/m.test(text)) t.fail(`${about}: a stack: ${text}`)
      if (![0, 1, 2].includes(code) || text === '') t.fail(`${about}: code ${code}, ${text}`)
      if (code !== 0 && !text.includes(run) && !text.includes('g.json') && words[0] !== 'replay')
        t.fail(`${about}: names no file: ${text}`)
      // a record whose text was changed stays as it is
      if (code === 0 && words[0] === 'run' && !path.endsWith('metrics.jsonl') && totalOf(run) !== total)
        t.fail(`${about}: another result`)
    } catch (error) {
      t.fail(`${about}: threw ${error instanceof Error ? error.stack : error}`)
    }
    rmSync(run, { recursive: true, force: true })
  }
  t.ok(ends[0] > 0 && ends[1] > 0, JSON.stringify(ends))
})

/** The last total that a run recorded. */
function totalOf(run: string): unknown {
  const last = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n').at(-1) ?? ''
  return /"total":(\d+)/.exec(last)?.[1]
}

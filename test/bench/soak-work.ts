import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkpointNameOf, checkpointsOf } from '../../engine/run/checkpoint/folder.ts'
import { isObject, readJsonObject } from '../../engine/shared/json.ts'
import { repository } from '../fixtures.ts'
import { startFlow } from './flow-process.ts'
import { recipe } from './memory.ts'
import { type KillKind, scorerName } from './soak-kills.ts'

/** What is run to its end, undisturbed and with kills. */
export interface Work {
  readonly name: 'training' | 'evaluation'
  /** Updates or questions. */
  readonly total: number
  readonly kills: readonly KillKind[]
  /** The first command. `folder` is where its results go on being collected, `run` the run's own folder. */
  start(folder: string, run: string): string[]
  /** How many are done, as the files tell. */
  done(folder: string, run: string): number
  /** How many of them need not be done again after a kill. */
  kept(folder: string, run: string): number
  /** A name in the outcome that must not be empty. */
  readonly proof: string
  /** Everything that must not depend on kills, by name: lines of text. */
  outcome(folder: string, run: string): Map<string, readonly string[]>
}

/** Files of the inputs of both works. */
export interface Inputs {
  readonly model: string
  readonly data: string
  readonly table: string
}

/** Clips cost most of the time: few are decoded, and each does for several questions or updates. */
const questionsOfClip = 50
const updatesOfClip = 10

/** A model of one layer, a few drawn clips with questions, and a table of questions about copies of these clips. */
export async function makeInputs(folder: string, questions: number): Promise<Inputs> {
  const [model, copies] = [join(folder, 'model'), join(folder, 'copies')]
  const graph = join(folder, 'inputs.json')
  writeFileSync(graph, JSON.stringify(recipe(model)))
  await startFlow(['run', graph, '--out', join(folder, 'made')], join(folder, 'log')).ended
  const drawn = readdirSync(join(model, 'clips')).sort()
  const clips = Math.ceil(questions / questionsOfClip)
  mkdirSync(copies)
  for (let i = 0; i < clips; i++)
    linkSync(join(model, 'clips', drawn[i % drawn.length] ?? ''), join(copies, `${i}.mp4`))
  const rows = Array.from({ length: questions }, (_, i) => ({
    video: `${Math.floor(i / questionsOfClip)}.mp4`,
    question: `Where does shape ${i} move?`,
    a: 'left',
    b: 'right',
    c: 'up',
    d: 'down',
    answer: 'ABCD'[i % 4],
  }))
  const table = join(copies, 'questions.jsonl')
  writeFileSync(table, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  return { model, data: join(model, 'questions.jsonl'), table }
}

/** A reward that depends on the completions alone; it takes a moment, so that it can be killed. */
const scorer = `#!/bin/sh
sleep 0.02
exec awk '{ rest = $0; list = ""
  while (match(rest, /"tokens":[0-9]+/)) {
    list = list (list == "" ? "" : ",") substr(rest, RSTART + 9, RLENGTH - 9) / 100
    rest = substr(rest, RSTART + RLENGTH)
  }
  print "{\\"rewards\\":[" list "]}" }'
`

const devicePlugin = fileURLToPath(
  new URL(`soak-device${extname(fileURLToPath(import.meta.url))}`, import.meta.url),
)

/** graphs/grpo.json with a scorer of its own and a GPU that can be lost. */
export function trainingOf(folder: string, { model, data }: Inputs, updates: number, every: number): Work {
  const program = join(folder, scorerName)
  writeFileSync(program, scorer)
  chmodSync(program, 0o755)
  const graph = join(folder, 'training.json')
  const config = { command: [program], name: 'tokens', weight: 0.1 }
  writeFileSync(
    graph,
    JSON.stringify({
      version: 1,
      extends: join(repository, 'graphs/grpo.json'),
      plugins: [devicePlugin],
      nodes: {
        scored: { operator: 'reward.command', config, from: { groups: 'rewards.groups' } },
        device: { operator: 'soak.device', from: { items: 'scored.groups' } },
        advantages: { from: { groups: 'device.items' } },
      },
    }),
  )
  const small = ['frames=4', 'group=4', 'maxNewTokens=12', 'patience=0', 'epochs=0', 'learningRate=1e-5']
  const set = [
    `model=${model}`,
    `data=${data}`,
    `steps=${updates}`,
    `nodes.samples.config.limit=${updates / updatesOfClip}`,
    `nodes.update.config.updatesPerBatch=${updatesOfClip}`,
    `checkpointEvery=${Math.ceil(every / updatesOfClip)}`,
    ...small,
  ]
  return {
    name: 'training',
    proof: 'weights and optimizer',
    total: updates,
    kills: ['SIGKILL', 'SIGTERM', 'SIGTERM twice', 'SIGHUP', 'ffmpeg', 'scorer', 'GPU device'],
    start: (_, run) => ['run', graph, '--seed', '1', ...set.flatMap(one => ['--set', one]), '--out', run],
    done: (_, run) => linesIn(join(run, 'metrics.jsonl')),
    kept: (_, run) => {
      const names = namesIn(checkpointsOf(run)).filter(name => /^\d+$/.test(name))
      return updatesOfClip * Number(names.at(-1) ?? 0)
    },
    outcome: (_, run) => {
      const state = join(checkpointsOf(run), checkpointNameOf(updates / updatesOfClip), 'state.json')
      return new Map([
        ['metrics.jsonl', textLines(join(run, 'metrics.jsonl')).map(withoutTimes)],
        ['samples.jsonl', textLines(join(run, 'samples.jsonl'))],
        ['dead-letters.jsonl', textLines(join(run, 'dead-letters.jsonl'))],
        ['weights and optimizer', contentsOf(state)],
        ['names in the folder', [...namesIn(run), ...namesIn(checkpointsOf(run))].filter(isOfEveryRun)],
      ])
    },
  }
}

/** graphs/eval/own.json with a GPU that can be lost. */
export function evaluationOf(folder: string, { model, table }: Inputs, questions: number): Work {
  const graph = join(folder, 'evaluation.json')
  writeFileSync(
    graph,
    JSON.stringify({
      version: 1,
      extends: join(repository, 'graphs/eval/own.json'),
      plugins: [devicePlugin],
      nodes: {
        device: { operator: 'soak.device', from: { items: 'questions.samples' } },
        evaluation: { from: { samples: 'device.items' } },
      },
    }),
  )
  const set = [`model=${model}`, `data=${table}`, 'frames=4', 'maxNewTokens=12', 'batch=8']
  return {
    name: 'evaluation',
    proof: 'results',
    total: questions,
    kills: ['SIGKILL', 'SIGTERM', 'SIGTERM twice', 'SIGHUP', 'ffmpeg', 'GPU device'],
    start: (out, run) => {
      const all = [...set, `out=${out}`].flatMap(one => ['--set', one])
      return ['run', graph, '--seed', '1', ...all, '--out', run]
    },
    done: resultsIn,
    kept: resultsIn,
    outcome: out =>
      new Map([
        ['results.jsonl', textLines(join(out, 'results.jsonl'))],
        ['report.csv', textLines(join(out, 'report.csv'))],
        ['results', digestsIn(join(out, 'results'))],
        ['sheets', digestsIn(join(out, 'sheets'))],
      ]),
  }
}

const resultsIn = (out: string): number =>
  namesIn(join(out, 'results')).filter(name => name.endsWith('.json')).length

/** The first few places where two outcomes differ. */
export function* differences(
  whole: Map<string, readonly string[]>,
  found: Map<string, readonly string[]>,
): Generator<string> {
  for (const [name, lines] of whole) {
    const others = found.get(name) ?? []
    const places = lines.map((_, i) => i).filter(i => lines[i] !== others[i])
    if (others.length !== lines.length)
      yield `${name}: ${lines.length} lines undisturbed, ${others.length} here`
    for (const i of places.slice(0, 2))
      yield `${name}, line ${i + 1}: ${lines[i]?.slice(0, 300)} undisturbed, ${others[i]?.slice(0, 300)} here`
    if (places.length > 2) yield `${name}: ${places.length} lines differ`
  }
}

/** The number of lines that have an end; a file is read again only when its size has changed. */
function linesIn(path: string): number {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  const known = counted.get(path)
  if (known?.size === size) return known.lines
  const lines = size === 0 ? 0 : readFileSync(path, 'latin1').split('\n').length - 1
  counted.set(path, { size, lines })
  return lines
}

const counted = new Map<string, { size: number; lines: number }>()

const textLines = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : []

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).sort() : [])

/** A line for each file: name and digest. */
const digestsIn = (folder: string): string[] =>
  namesIn(folder).map(
    name =>
      `${name} ${createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex')}`,
  )

function withoutTimes(line: string): string {
  const { seconds, update_seconds, generate_seconds, tokens_per_second, ...numbers } = JSON.parse(line)
  return JSON.stringify(numbers)
}

/** The name of an event file holds the time. */
const isOfEveryRun = (name: string): boolean => !name.startsWith('events.out.')

/** Size and digest of each file of the last checkpoint. */
function contentsOf(state: string): string[] {
  if (!existsSync(state)) return []
  const { contents } = readJsonObject(state)
  return Object.entries(isObject(contents) ? contents : {}).map(entry => JSON.stringify(entry))
}

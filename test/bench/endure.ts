import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { listCheckpoints } from '../../engine/run/checkpoint/folder.ts'
import { startFlow } from './flow-process.ts'
import type { BenchOptions } from './measure.ts'
import { growth } from './memory.ts'
import { type Row, rowsOf } from './run-rows.ts'

export type EnduranceOptions = Pick<BenchOptions, 'rounds' | 'config' | 'lora' | 'folder'> & {
  /** Updates between two checkpoints; 0: one at the end. */
  every: number
  /** Behind this update the run is killed, and goes on from its newest checkpoint unless it was the last; 0: never. */
  kill: number
  /** The run is killed after the last update, too: no checkpoint at its end. */
  leave: boolean
  /** Params of the graph, as NAME=VALUE. */
  set: readonly string[]
}

/**
 * Trains a random model of the sizes of a `config.json` with `flow run`, everything from the decoding of clips on
 * included: graphs/grpo.json at the published extents, or graphs/presets/lora.json. Gives one line an update while it
 * goes on, then what grew, and whether updates that were made twice, before and after the kill, gave the same numbers.
 */
export async function* endure(options: EnduranceOptions): AsyncGenerator<string> {
  const { rounds, config, folder, kill, leave } = options
  const model = join(folder, 'model')
  await mkdir(folder, { recursive: true })
  const log = join(folder, 'endure.log')
  if (!existsSync(join(model, 'config.json')))
    await startFlow(['new', 'checkpoint', '--config', config, '--out', model], log).ended
  const directory = join(await mkdtemp(join(folder, 'endure-')), 'run')
  yield `run directory ${directory}`
  yield headline
  const rows: Row[] = []
  for await (const row of rowsOf(startFlow(runOf(options, model, directory), log), directory, 0)) {
    rows.push(row)
    yield lineOf(row)
    if (row.update === kill || (leave && row.update === rounds)) break
  }
  yield* ends(rows)
  const last = rows.at(-1)?.update ?? 0
  if (kill > 0 && last < rounds) {
    yield* savesIn(join(directory, 'log.txt'))
    const from = Number((await listCheckpoints(directory)).at(-1) ?? 0)
    yield `killed after update ${last}; it goes on after update ${from}`
    const again: Row[] = []
    for await (const row of rowsOf(startFlow(['run', '--resume', directory], log), directory, from)) {
      again.push(row)
      yield lineOf(row)
      if (row.update === last) yield madeTwice(rows, again)
      if (leave && row.update === rounds) break
    }
    yield* ends(again)
  }
}

/** Whether a process that went on from a checkpoint came to what the one before it had come to. */
function madeTwice(before: readonly Row[], again: readonly Row[]): string {
  const same = again.filter(row => before.some(at => at.update === row.update && at.numbers === row.numbers))
  return `updates made twice: ${again.length}, with the same loss, KL and norm of the gradient: ${same.length}`
}

function runOf(
  { rounds, every, lora, leave, set }: EnduranceOptions,
  model: string,
  directory: string,
): string[] {
  const graph = lora ? 'graphs/presets/lora.json' : 'graphs/grpo.json'
  const extents = ['frames=16', 'group=8', 'maxNewTokens=360', 'patience=0', 'epochs=0', 'learningRate=1e-6']
  const saves = [`checkpointEvery=${every}`, 'checkpoints=1']
  const types = ['precision=float16']
  // With one more, the last update is not followed by a checkpoint at once.
  const given = [
    `model=${model}`,
    `steps=${rounds + (leave ? 1 : 0)}`,
    ...extents,
    ...saves,
    ...types,
    ...set,
  ]
  return ['run', graph, '--seed', '1', '--out', directory, ...given.flatMap(one => ['--set', one])]
}

const gigabytes = (bytes: number): string => (bytes / 1e9).toFixed(3)
const headline =
  '| update | seconds since the one before | written | trained | GPU GB alive, least | GPU GB at most so far | process GB |'

const lineOf = (row: Row): string =>
  `| ${[
    row.update,
    ...[row.seconds, row.generateSeconds, row.updateSeconds].map(seconds => seconds.toFixed(2)),
    ...[row.gpuBytes, row.gpuPeakBytes, row.residentBytes].map(gigabytes),
  ].join(' | ')} |`

/** What the run said of its checkpoints. */
function savesIn(log: string): string[] {
  const lines = readFileSync(log, 'utf8').split('\n')
  return lines.filter(line => /checkpoint \d+ \(/.test(line)).map(line => `saved: ${line.trim()}`)
}

/** What the updates of one process have in common. */
function* ends(rows: readonly Row[]): Generator<string> {
  const seconds = rows.map(row => row.seconds).sort((a, b) => a - b)
  yield `${rows.length} updates, median ${seconds[Math.floor(seconds.length / 2)]?.toFixed(2)} s`
  if (rows.length < 8) return // a quarter of fewer says nothing
  for (const field of ['gpuBytes', 'gpuPeakBytes', 'residentBytes'] as const)
    yield `growth of ${field} from the second quarter to the last: ${(100 * growth(rows.map(row => row[field]))).toFixed(2)} %`
}

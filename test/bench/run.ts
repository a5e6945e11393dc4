import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { makeEmbedded } from '../../engine/cli/embedded.ts'
import { loadGraph } from '../../engine/graph/check.ts'
import { operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import { sharedDevice } from '../../operators/device.ts'
import { operators, resources } from '../../operators/index.ts'
import { repository } from '../fixtures.ts'
import { startFlow } from './flow-process.ts'
import { type Busy, type BusyMeter, busyMeter, busyText, sumOf } from './gpu-busy.ts'
import type { BenchOptions } from './measure.ts'
import { growth } from './memory.ts'

export type RunBenchOptions = Pick<BenchOptions, 'rounds' | 'config' | 'folder'> & {
  /** Params of the graph, as NAME=VALUE. */
  set: readonly string[]
}

/** Prompts of the published run. */
const publishedPrompts = 5496

/** Updates that do not count: kernels are compiled, and recordings of the most frequent lengths are made. */
const warmUp = 3

/** One update, as the bench sees it. */
interface Update {
  number: number
  busy: Busy
  liveBytes: number
  peakBytes: number
}

/**
 * graphs/presets/published.json on random weights of a `config.json`, from the decoding of clips to the update, for `rounds`
 * updates. Completions of random weights never end by themselves: all have `maxNewTokens` tokens, here 360.
 */
export async function* run({ rounds, config, folder, set }: RunBenchOptions): AsyncGenerator<string> {
  const model = join(folder, 'model')
  await mkdir(folder, { recursive: true })
  if (!existsSync(join(model, 'config.json'))) {
    const words = ['new', 'checkpoint', '--config', config, '--out', model]
    await startFlow(words, join(folder, 'run.log')).ended
  }
  const updates: Update[] = []
  const lines = watchedRun(folder, [`model=${model}`, ...given(rounds), ...set], rounds, updates)
  for await (const line of lines) yield line
  yield* summaryOf(updates.slice(warmUp))
}

const given = (rounds: number): string[] => [
  'maxNewTokens=360',
  'patience=0',
  'featureBytes=0', // the clips of NextQA hardly repeat, those of this run do
  `steps=${rounds}`,
  // Enough more prompts that the next prompts are generated during the last watched update, as during all others.
  `questions=${8 * (rounds + 2)}`,
]

/** Runs the graph and gives a line for each update. */
async function* watchedRun(
  folder: string,
  set: readonly string[],
  rounds: number,
  updates: Update[],
): AsyncGenerator<string> {
  const path = join(repository, 'graphs/presets/published.json')
  let meter: BusyMeter | undefined
  const waiting: ((line: string | undefined) => void)[] = []
  const ready: (string | undefined)[] = []
  const say = (line: string | undefined) => {
    const next = waiting.shift()
    if (next) next(line)
    else ready.push(line)
  }
  const watch = operator({
    summary: 'Looks at the GPU and the host after each update.',
    config: {},
    inputs: { versions: 'version' },
    outputs: {},
    run: ({ versions }, _config, context) => {
      const look = async (number: number) => {
        const device = await sharedDevice(context)
        const isFirst = meter === undefined
        meter ??= busyMeter(device)
        const busy = await meter.lap()
        if (isFirst) return undefined // it began with this update
        const { liveBytes, peakBytes } = device
        updates.push({ number, busy, liveBytes, peakBytes })
        say(
          `update ${number}: ${busy.seconds.toFixed(2)} s, ${busyText(busy)}, ${gigabytes(peakBytes)} at most`,
        )
        // Not a stop, which would save a checkpoint of 43 GB.
        if (number >= rounds) flow.abort(new Error('enough was seen'))
        return undefined
      }
      return { none: versions.pipe(context.each(look)) }
    },
  })
  const registry = { operators: { ...operators, 'bench.watch': watch }, resources }
  const plan = loadGraph(path, registry, { set, read: name => watchedText(name, name === path) })
  await makeEmbedded(plan, registry, say)
  const flow = startRun(plan, { seed: 0, directory: join(await mkdtemp(join(folder, 'run-')), 'run') })
  void flow.done.finally(() => say(undefined))
  for (;;) {
    const line =
      ready.length > 0 ? ready.shift() : await new Promise<string | undefined>(next => waiting.push(next))
    if (line === undefined) break
    yield line
  }
  meter?.stop()
  const { status, error } = await flow.done
  if (updates.at(-1)?.number !== rounds) throw error ?? new Error(`the run ended early: ${status}`)
}

/** A graph file, with the node that watches the updates if it is the run's own. */
function watchedText(name: string, isWatched: boolean): string {
  const text = readFileSync(name, 'utf8')
  if (!isWatched) return text
  const graph = JSON.parse(text)
  graph.nodes = { ...graph.nodes, watch: { operator: 'bench.watch', from: { versions: 'update.version' } } }
  return JSON.stringify(graph)
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`

function* summaryOf(updates: readonly Update[]): Generator<string> {
  if (updates.length === 0) return
  const all = sumOf(updates.map(({ busy }) => busy))
  const sorted = updates.map(({ busy }) => busy.seconds).sort((a, b) => a - b)
  const perPrompt = sorted[Math.floor(sorted.length / 2)] / 8
  yield `${updates.length} updates after ${warmUp}: ${busyText(all)}`
  yield `median ${perPrompt.toFixed(3)} s a prompt, ${((perPrompt * publishedPrompts) / 3600).toFixed(2)} h for ${publishedPrompts} prompts`
  if (updates.length >= 8)
    for (const field of ['liveBytes', 'peakBytes'] as const)
      yield `growth of ${field} from the second quarter to the last: ${(100 * growth(updates.map(one => one[field]))).toFixed(2)} %`
}

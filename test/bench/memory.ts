import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { loadGraph } from '../../engine/graph/check.ts'
import { operator } from '../../engine/operator.ts'
import { startRun } from '../../engine/run/run.ts'
import { sharedDevice } from '../../operators/device.ts'
import { operators, resources } from '../../operators/index.ts'
import { collectGarbage } from '../collect-garbage.ts'
import { repository } from '../fixtures.ts'

export interface MemorySample {
  update: number
  /** Bytes of all live GPU buffers: the least after any update since the last sample, because most often a few clips wait. */
  gpuBytes: number
  /** Bytes of the process after a garbage collection. */
  residentBytes: number
  heapBytes: number
}

/**
 * Trains a small random model with graphs/grpo.json, everything from the decoding of clips to the checkpoint at the end
 * included, and looks at memory `samples` times in equal steps. JavaScript is interpreted from then on in this process.
 */
export async function memory(updates: number, samples: number): Promise<MemorySample[]> {
  // V8 goes on compiling for hundreds of updates: machine code, about 3 kB an update, would hide what we keep.
  for (const flag of ['--no-opt', '--no-sparkplug']) setFlagsFromString(flag)
  const folder = await mkdtemp(join(tmpdir(), 'flow-memory-'))
  try {
    await run(recipe(folder), [], join(folder, 'made'))
    const found: MemorySample[] = []
    const path = join(repository, 'graphs/grpo.json')
    const graph = JSON.parse(await readFile(path, 'utf8'))
    graph.nodes.memory = { operator: 'bench.memory', from: { versions: 'update.version' } }
    const small = [
      'frames=4',
      'group=4',
      'maxNewTokens=12',
      'checkpointEvery=0',
      'patience=0',
      'epochs=0',
      'learningRate=1e-6',
    ]
    // A few more, so that what waits for an update is as much at the end of what is looked at as before.
    const steps = updates + 16
    const given = [`model=${folder}`, `data=${join(folder, 'questions.jsonl')}`, `steps=${steps}`, ...small]
    const every = Math.max(1, Math.floor(updates / samples))
    const watch = watchOf(updates, every, sample => found.push(sample))
    await run(graph, given, join(folder, 'run'), { 'bench.memory': watch })
    return found
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The growth from the mean of the second quarter, when all is warm, to that of the last one, as a share. */
export function growth(values: readonly number[], of = mean): number {
  const quarter = Math.floor(values.length / 4)
  return of(values.slice(-quarter)) / of(values.slice(quarter, 2 * quarter)) - 1
}

const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length

/** One line a sample, and what grew. */
export function* memoryLines(samples: readonly MemorySample[]): Generator<string> {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB`
  for (const { update, gpuBytes, residentBytes, heapBytes } of samples)
    yield `update ${update}: GPU ${megabytes(gpuBytes)}, process ${megabytes(residentBytes)}, of it heap ${megabytes(heapBytes)}`
  const line = (field: keyof MemorySample, of?: (list: readonly number[]) => number) =>
    `growth of ${field} from the second quarter to the last: ${(
      100 *
        growth(
          samples.map(sample => sample[field]),
          of,
        )
    ).toFixed(2)} %`
  // The least: how many clips wait on the GPU at a time depends on how fast they are decoded.
  yield line('gpuBytes', list => Math.min(...list))
  yield line('residentBytes')
  yield line('heapBytes')
}

const watchOf = (updates: number, every: number, keep: (sample: MemorySample) => void) =>
  operator({
    summary: 'Measures memory after updates.',
    config: {},
    inputs: { versions: 'version' },
    outputs: {},
    run: ({ versions }, _config, context) => {
      let gpuBytes = Number.POSITIVE_INFINITY
      const look = async (update: number) => {
        gpuBytes = Math.min(gpuBytes, (await sharedDevice(context)).liveBytes)
        if (update % every !== 0 || update > updates) return undefined
        await collectGarbage()
        const { rss: residentBytes, heapUsed: heapBytes } = process.memoryUsage()
        keep({ update, gpuBytes, residentBytes, heapBytes })
        gpuBytes = Number.POSITIVE_INFINITY
        return undefined
      }
      return { none: versions.pipe(context.each(look)) }
    },
  })

async function run(
  graph: object,
  set: readonly string[],
  directory: string,
  more: Record<string, ReturnType<typeof watchOf>> = {},
): Promise<void> {
  const registry = { operators: { ...operators, ...more }, resources }
  const plan = loadGraph('memory.json', registry, { set, read: () => JSON.stringify(graph) })
  const { status, error, leaked } = await startRun(plan, { seed: 0, directory }).done
  if (status !== 'completed') throw error ?? new Error(`the run ended as ${status}`)
  if (leaked > 0) throw new Error(`${leaked} values were never freed`)
}

/** A graph that writes questions about a few clips, and a model of one layer. */
export function recipe(folder: string) {
  const vision = { visionHidden: 16, visionIntermediate: 32, visionHeads: 2 }
  return {
    version: 1,
    summary: 'Makes what the memory bench trains on.',
    nodes: {
      shapes: { operator: 'shapes.clips', config: { count: 8, frames: 4 } },
      files: { operator: 'video.encode', config: { folder }, from: { clips: 'shapes.clips' } },
      lines: {
        operator: 'write.jsonl',
        config: { path: join(folder, 'questions.jsonl') },
        from: { items: 'files.rows' },
      },
      model: {
        operator: 'model.random',
        config: { folder, ...vision, hidden: 32, intermediate: 48, layers: 1 },
      },
    },
  }
}

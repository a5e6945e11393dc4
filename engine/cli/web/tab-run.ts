import { operators, resources } from '../../../operators/index.ts'
import type { Clip, Sample } from '../../../operators/kinds.ts'
import { drawClip } from '../../../operators/shapes/clips.ts'
import { loadGraph } from '../../graph/check.ts'
import { operator } from '../../operator.ts'
import { startRun } from '../../run/run.ts'
import type { Run } from '../../run/summary.ts'
import { at } from '../../shared/at.ts'

/** Where the run finds what it reads and writes. */
export interface TabRun {
  graph: string
  model: string
  data: string
  directory: string
  steps: number
  group: number
  seed: number
}

const sizes = {
  count: 32,
  size: 64,
  frames: 16,
  framesPerSecond: 8,
  questions: 2,
  rows: 'questions',
  movement: 'random',
  options: 'shuffled',
  folder: 'clips',
  seed: 1,
} as const

const clips = Array.from({ length: sizes.count }, (_, i) => drawClip(i, sizes).value)

/** The questions of the demonstration, one a line. */
export const rows = clips.flatMap(({ rows }) => rows.map(row => `${JSON.stringify(row)}\n`)).join('')

/** Gives the drawn frames of a clip: nothing is decoded, so that they are the same in every browser and in Node. */
const decode = operator({
  summary: 'Opens a drawn clip of the demonstration.',
  config: {},
  inputs: { samples: 'sample' },
  outputs: { clips: 'clip' },
  run: ({ samples }, _, context) => ({ clips: samples.pipe(context.each<Sample, Clip>(drawn)) }),
})

function drawn(sample: Sample): Clip {
  const found = clips.find(({ path }) => sample.video.endsWith(path))
  if (!found) throw new Error(`${sample.video}: must be a clip of the demonstration`)
  const { frames, framesPerSecond, width, height } = found
  const read = async (indices: readonly number[]) => indices.map(index => at(frames, index))
  return {
    sample,
    path: sample.video,
    frameCount: frames.length,
    framesPerSecond,
    durationSeconds: frames.length / framesPerSecond,
    width,
    height,
    firstFrame: 0,
    read,
    async *frames(indices) {
      yield* await read(indices)
    },
  }
}

/** Trains on the drawn clips: the graph, the engine, the operators and the kernels are those of every other run. */
export function trainInTab({ graph, model, data, directory, steps, group, seed }: TabRun): Run {
  const registry = { operators: { ...operators, 'video.decode': decode }, resources }
  const set = [
    `model=${model}`,
    `data=${data}`,
    `steps=${steps}`,
    `group=${group}`,
    'learningRate=1e-5',
    'checkpointEvery=0',
    'nodes.frames.config.sheetWidth=0',
  ]
  return startRun(loadGraph(graph, registry, { set, environment: {} }), { seed, directory })
}

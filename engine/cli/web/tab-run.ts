import type * as browser from '../../../operators/browser.ts'
import type { Clip, Sample } from '../../../operators/kinds.ts'
import type { Run } from '../../run/summary.ts'
import { at } from '../../shared/at.ts'

/** What the training needs of flow: `flow/browser` has it, and so has Node, with which a test compares. */
export type Flow = Pick<
  typeof browser,
  'operator' | 'operators' | 'resources' | 'loadGraph' | 'startRun' | 'drawClip'
>

/** Where the run finds what it reads and writes. */
export interface TabRun {
  graph: string
  model: string
  data: string
  directory: string
  steps: number
  group: number
  seed: number
  /** Whether pictures of the frames are kept, for the page. */
  sheets: boolean
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

/** The drawn clips of the demonstration. */
const clipsOf = ({ drawClip }: Flow) =>
  Array.from({ length: sizes.count }, (_, i) => drawClip(i, sizes).value)

/** The questions of the demonstration, one a line. */
export const rowsOf = (flow: Flow): string =>
  clipsOf(flow)
    .flatMap(({ rows }) => rows.map(row => `${JSON.stringify(row)}\n`))
    .join('')

/** Gives the drawn frames of a clip: nothing is decoded, so that they are the same in every browser and in Node. */
function decoderOf(flow: Flow) {
  const clips = clipsOf(flow)
  const drawn = (sample: Sample): Clip => {
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
  return flow.operator({
    summary: 'Opens a drawn clip of the demonstration.',
    config: {},
    inputs: { samples: 'sample' },
    outputs: { clips: 'clip' },
    run: ({ samples }, _, context) => ({ clips: samples.pipe(context.each<Sample, Clip>(drawn)) }),
  })
}

/** Trains on the drawn clips: the graph, the engine, the operators and the kernels are those of every other run. */
export function trainInTab(
  flow: Flow,
  { graph, model, data, directory, steps, group, seed, sheets }: TabRun,
): Run {
  const registry = {
    operators: { ...flow.operators, 'video.decode': decoderOf(flow) },
    resources: flow.resources,
  }
  const set = [
    `model=${model}`,
    `data=${data}`,
    `steps=${steps}`,
    `group=${group}`,
    'learningRate=1e-5',
    'checkpointEvery=0',
    ...(sheets ? [] : ['nodes.frames.config.sheetWidth=0']),
  ]
  return flow.startRun(flow.loadGraph(graph, registry, { set, environment: {} }), { seed, directory })
}

import { operator, type SourceItem } from '../../engine/operator.ts'
import type { Pictures } from '../kinds.ts'
import { type Random, randomOf } from '../random.ts'
import { colours, drawScene, movements, type Scene, shapes } from './draw.ts'
import { questionsAbout } from './questions.ts'

export default operator({
  summary: 'Draws short clips of a moving shape, with questions about it.',
  config: {
    count: { type: 'integer', minimum: 1, default: 32, description: 'Clips to draw.' },
    size: { type: 'integer', minimum: 32, default: 64, description: 'Width and height, pixels.' },
    frames: { type: 'integer', minimum: 1, default: 16, description: 'Frames of a clip.' },
    framesPerSecond: { type: 'number', exclusiveMinimum: 0, default: 8, description: 'Frame rate.' },
    questions: {
      type: 'integer',
      minimum: 1,
      maximum: 3,
      default: 2,
      description: 'Questions about a clip: where the shape goes, its colour, which shape it is.',
    },
    seed: { type: 'integer', minimum: 0, default: 1, description: 'The same seed draws the same clips.' },
  },
  inputs: {},
  outputs: { clips: 'pictures' },
  run: (_inputs, config, context) => ({
    clips: context.source<Pictures>(async function* () {
      for (let i = 0; i < config.count; i++) yield drawClip(i, config)
    }),
  }),
})

interface Sizes {
  count: number
  size: number
  frames: number
  framesPerSecond: number
  questions: number
  seed: number
}

/** Clip `index` of a data set; its rows have the fields of the published training data. */
export function drawClip(index: number, sizes: Sizes): SourceItem<Pictures> {
  const { count, size, frames, framesPerSecond, questions, seed } = sizes
  const random = randomOf(seed, index)
  const scene = randomScene(random, size)
  const number = String(index).padStart(String(count - 1).length, '0')
  const path = `clips/${number}.mp4`
  const rows = questionsAbout(scene, questions, random).map(({ problem, solution }, i) => ({
    problem_id: index * questions + i,
    problem,
    data_type: 'video',
    problem_type: 'multiple choice',
    solution,
    video_filename: `./${path}`,
    data_source: 'shapes',
  }))
  const pictures = Array.from({ length: frames }, (_, i) =>
    drawScene(scene, size, frames > 1 ? i / (frames - 1) : 0.5),
  )
  const value = { path, width: size, height: size, framesPerSecond, frames: pictures, rows }
  return { key: number, value, bytes: frames * size * size * 3 }
}

function randomScene(random: Random, size: number): Scene {
  const pick = <T>(list: readonly T[]): T => {
    const choice = list[random.integer(list.length)]
    if (choice === undefined) throw new Error('randomScene: nothing to pick from')
    return choice
  }
  return {
    shape: pick(shapes),
    colour: pick(keysOf(colours)),
    movement: pick(keysOf(movements)),
    background: 10 + random.integer(70),
    radius: size * (0.14 + 0.08 * random.uniform()),
    offset: size * 0.25 * (random.uniform() - 0.5),
  }
}

/** The object's own keys with their names as type: true for literals that nobody adds keys to. */
const keysOf = <T extends object>(object: T) => Object.keys(object) as (keyof T)[]

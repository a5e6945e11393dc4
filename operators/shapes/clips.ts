import { operator, type SourceItem } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import type { Pictures } from '../kinds.ts'
import { type Random, randomOf } from '../random.ts'
import { captionOf, descriptionOf, thoughtOf } from './conversations.ts'
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
      description:
        'Number of questions about a clip, in this order: where the shape moves, its colour, which shape it is.',
    },
    rows: {
      type: 'string',
      enum: ['questions', 'captions', 'descriptions', 'thoughts'],
      default: 'questions',
      description:
        'Rows about a clip. captions: one conversation that describes the clip. questions: its questions. descriptions, thoughts: its questions, each with a conversation that thinks and then answers in words, or by letter.',
    },
    movement: {
      type: 'string',
      enum: ['random', 'in-turn'],
      default: 'random',
      description: 'random: any direction or none. in-turn: left, right, up and down in turn.',
    },
    options: {
      type: 'string',
      enum: ['shuffled', 'listed', 'balanced'],
      default: 'shuffled',
      description:
        'Order of the options of a question. shuffled: random. listed: always the same. balanced: the right letter changes every four clips.',
    },
    folder: {
      type: 'string',
      default: 'clips',
      description: 'Folder of the clips in the folder of the data set; another name gives other clips.',
    },
    seed: { type: 'integer', minimum: 0, default: 1, description: 'The same seed draws the same clips.' },
  },
  inputs: {},
  outputs: { clips: 'pictures' },
  run: (_inputs, config, context) => ({
    clips: context.source<Pictures>(async function* () {
      context.expect(config.count, 'clips')
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
  rows: 'questions' | 'captions' | 'descriptions' | 'thoughts'
  movement: 'random' | 'in-turn'
  options: 'shuffled' | 'listed' | 'balanced'
  folder: string
  seed: number
}

/** Clip `index` of a data set; its rows have the fields of the published training data. */
export function drawClip(index: number, sizes: Sizes): SourceItem<Pictures> {
  const { count, size, frames, framesPerSecond, folder, seed } = sizes
  const random = randomOf(seed, folder, index)
  const drawn = randomScene(random, size)
  const scene =
    sizes.movement === 'random' ? drawn : { ...drawn, movement: at(directions, index % directions.length) }
  const number = String(index).padStart(String(count - 1).length, '0')
  const path = `${folder}/${number}.mp4`
  const rows = rowsAbout(scene, path, index, random, sizes)
  const pictures = Array.from({ length: frames }, (_, i) =>
    drawScene(scene, size, frames > 1 ? i / (frames - 1) : 0.5),
  )
  const value = { path, width: size, height: size, framesPerSecond, frames: pictures, rows }
  return { key: number, value, bytes: frames * size * size * 3 }
}

/** Rows with the fields of the published data: questions for GRPO, conversations for the cold start. */
function rowsAbout(scene: Scene, path: string, index: number, random: Random, sizes: Sizes) {
  const id = (i: number) => index * sizes.questions + i
  if (sizes.rows === 'captions') return [{ id: index, video: path, conversations: captionOf(scene) }]
  const answer = sizes.rows === 'questions' ? undefined : conversations[sizes.rows]
  const order = sizes.options === 'balanced' ? Math.floor(index / 4) % 4 : sizes.options
  return questionsAbout(scene, sizes.questions, random, order).map((question, i) => ({
    problem_id: id(i),
    problem: question.problem,
    data_type: 'video',
    problem_type: 'multiple choice',
    solution: question.solution,
    video_filename: `./${path}`,
    data_source: 'shapes',
    ...(answer ? { id: id(i), video: path, conversations: answer(scene, question) } : {}),
  }))
}

const conversations = { descriptions: descriptionOf, thoughts: thoughtOf }

const directions = ['left', 'right', 'up', 'down'] as const

function randomScene(random: Random, size: number): Scene {
  const pick = <T>(list: readonly T[]): T => {
    return at(list, random.integer(list.length))
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

/** The object's keys with their names as type: right for literals that nothing adds keys to. */
const keysOf = <T extends object>(object: T) => Object.keys(object) as (keyof T)[]

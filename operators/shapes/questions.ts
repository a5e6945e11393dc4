import type { Random } from '../random.ts'
import { colours, movements, type Scene, shapes } from './draw.ts'

export interface Question {
  /** The question with its lettered options. */
  problem: string
  /** The right letter in answer tags. */
  solution: string
  /** The words of the right option. */
  truth: string
}

/**
 * `shuffled`: options in random order. `listed`: in the order of the list that they come from. A number: the position of
 * the right option, from 0; the others are in random order around it.
 */
export type OptionOrder = 'shuffled' | 'listed' | number

/** The first `count` questions about a scene; each has four options, one of them right. */
export function questionsAbout(
  scene: Scene,
  count: number,
  random: Random,
  order: OptionOrder = 'shuffled',
): Question[] {
  const { shape, colour, movement } = scene
  const all = [
    () => question(`where does the ${shape} go?`, movement, Object.keys(movements), random, order),
    () => question(`what colour is the ${shape}?`, colour, Object.keys(colours), random, order),
    () => question('which shape is in the video?', shape, shapes, random, order),
  ]
  return all.slice(0, count).map(ask => ask())
}

const letters = ['A', 'B', 'C', 'D'] as const

function question(
  text: string,
  truth: string,
  choices: readonly string[],
  random: Random,
  order: OptionOrder,
): Question {
  const others = choices.filter(choice => choice !== truth)
  const wrong = (order === 'listed' ? others : random.shuffle(others)).slice(0, letters.length - 1)
  const chosen = [truth, ...wrong]
  const options =
    order === 'listed'
      ? choices.filter(choice => chosen.includes(choice))
      : order === 'shuffled'
        ? random.shuffle(chosen)
        : wrong.toSpliced(order, 0, truth)
  const lines = options.map((option, i) => `${letters[i]}. ${option}.`)
  return {
    problem: [text, 'Options:', ...lines].join('\n'),
    solution: `<answer> ${letters[options.indexOf(truth)]} </answer>`,
    truth,
  }
}

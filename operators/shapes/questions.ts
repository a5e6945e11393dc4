import type { Random } from '../random.ts'
import { colours, movements, type Scene, shapes } from './draw.ts'

export interface Question {
  /** The question with its lettered options. */
  problem: string
  /** The true letter in answer tags. */
  solution: string
}

/** Questions about a scene, in the order that they are asked in; each has four options, the true one among them. */
export function questionsAbout(scene: Scene, count: number, random: Random): Question[] {
  const { shape, colour, movement } = scene
  const all = [
    () => question(`where does the ${shape} go?`, movement, Object.keys(movements), random),
    () => question(`what colour is the ${shape}?`, colour, Object.keys(colours), random),
    () => question('which shape is in the video?', shape, shapes, random),
  ]
  return all.slice(0, count).map(ask => ask())
}

const letters = ['A', 'B', 'C', 'D'] as const

function question(text: string, truth: string, choices: readonly string[], random: Random): Question {
  const wrong = random.shuffle(choices.filter(choice => choice !== truth)).slice(0, letters.length - 1)
  const options = random.shuffle([truth, ...wrong])
  const lines = options.map((option, i) => `${letters[i]}. ${option}.`)
  return {
    problem: [text, 'Options:', ...lines].join('\n'),
    solution: `<answer> ${letters[options.indexOf(truth)]} </answer>`,
  }
}

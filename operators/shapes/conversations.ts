import type { Message } from '../kinds.ts'
import { thinkThenAnswer } from '../text/prompt.ts'
import type { Scene } from './draw.ts'
import type { Question } from './questions.ts'

/** A description of the clip, as an answer to a general question. */
export const captionOf = (scene: Scene): Message[] => [
  { from: 'human', value: '<image>\nwhat happens in the video?' },
  { from: 'gpt', value: `${seen(scene)}.` },
]

/** A question answered in the rewarded form, with the words of the right option instead of its letter. */
export const descriptionOf = (scene: Scene, question: Question): Message[] =>
  inForm(scene, question.problem, `<answer> ${question.truth} </answer>`)

/** A question answered in the rewarded form: a thought that describes the clip, then the letter. */
export const thoughtOf = (scene: Scene, question: Question): Message[] =>
  inForm(scene, question.problem, question.solution)

const inForm = (scene: Scene, problem: string, answer: string): Message[] => [
  { from: 'human', value: `<image>\n${problem} ${thinkThenAnswer}` },
  { from: 'gpt', value: `<think> ${seen(scene)}. </think> ${answer}` },
]

const seen = ({ colour, shape, movement }: Scene): string =>
  movement === 'nowhere'
    ? `The ${colour} ${shape} is still in the video`
    : `The ${colour} ${shape} moves ${movement} in the video`

import type { Message } from '../kinds.ts'
import { thinkThenAnswer } from '../text/prompt.ts'
import type { Scene } from './draw.ts'
import type { Question } from './questions.ts'

/** What a viewer would say that the clip shows. */
export const captionOf = (scene: Scene): Message[] => [
  { from: 'human', value: '<image>\nwhat happens in the video?' },
  { from: 'gpt', value: `${seen(scene)}.` },
]

/** A question answered in the form that is rewarded, with the true option's words instead of its letter. */
export const descriptionOf = (scene: Scene, question: Question): Message[] =>
  inForm(scene, question.problem, `<answer> ${question.truth} </answer>`)

/** A question with a chain of thought that looks first and then chooses, in the form that is rewarded. */
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

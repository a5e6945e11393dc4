import type { Message } from '../kinds.ts'
import { thinkThenAnswer } from '../text/prompt.ts'
import type { Scene } from './draw.ts'
import type { Question } from './questions.ts'

/** What a viewer would say that the clip shows. */
export const captionOf = (scene: Scene): Message[] => [
  { from: 'human', value: '<image>\nwhat happens in the video?' },
  { from: 'gpt', value: `${seen(scene)}.` },
]

/** A question about the clip, answered by what a viewer would say that it shows: never by a letter. */
export const descriptionOf = (scene: Scene, { problem }: Question): Message[] => [
  { from: 'human', value: `<image>\n${problem}` },
  { from: 'gpt', value: `${seen(scene)}.` },
]

/** A question with a chain of thought that looks first and then chooses, in the form that is rewarded. */
export function thoughtOf(scene: Scene, { problem, solution }: Question): Message[] {
  return [
    { from: 'human', value: `<image>\n${problem} ${thinkThenAnswer}` },
    { from: 'gpt', value: `<think> ${seen(scene)}. </think> ${solution}` },
  ]
}

const seen = ({ colour, shape, movement }: Scene): string =>
  movement === 'nowhere'
    ? `The ${colour} ${shape} is still in the video`
    : `The ${colour} ${shape} moves ${movement} in the video`

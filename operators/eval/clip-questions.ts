import type { Tensor } from '../../kernels/device/tensor.ts'
import type { Question, QuestionWith } from '../question.ts'

/** Kind `clip-questions`: one clip and everything that is asked about it. */
export interface ClipQuestions {
  video: string
  questions: readonly Question[]
}

/** Kind `watched`: the same after its frames were decoded, for all its questions at once. */
export interface WatchedClip {
  video: string
  questions: readonly QuestionWith<'shown'>[]
  durationSeconds: number
  /** Frame numbers that any of the questions sees, increasing. */
  frames: readonly number[]
  /** Shape (frames, 3, height, width) of the pixels, when a model will look at them. */
  pixelShape?: readonly number[]
  /** The pixels themselves, where the cache has no features of the frames. */
  pixels?: Tensor
  /** The frames' features, where the cache had them. */
  features?: Float32Array<ArrayBuffer>
  /** Their name in the cache, when there is one. */
  featureKey?: string
}

/** The questions of a clip that are asked: those without a result. */
export const pendingOf = <Asked extends Question>(questions: readonly Asked[]): Asked[] =>
  questions.filter(({ hasResult }) => !hasResult)

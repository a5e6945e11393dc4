import type { Clip } from '../kinds.ts'
import type { Question, QuestionWith } from '../question.ts'
import { pickFrames } from '../video/pick-frames.ts'
import { wordsOf } from './subtitles.ts'

interface Chosen {
  shown: QuestionWith<'shown'>[]
  /** Questions whose rows ask for frames that the clip does not have. */
  faults: { question: Question; error: unknown }[]
}

type FrameLimits = { count: number; mode: 'count' | 'one-a-second'; maxFrames: number }

/** Chooses the frames that each question is asked about, and the words that it is asked with. */
export async function chooseFrames(
  clip: Clip,
  questions: readonly Question[],
  { count, mode, maxFrames }: FrameLimits,
): Promise<Chosen> {
  const chosen: Chosen = { shown: [], faults: [] }
  const { framesPerSecond } = clip
  for (const question of questions) {
    try {
      const rule = { ...question.fields.frames, count: question.count ?? count, mode, maxFrames }
      const indices = pickFrames({ ...clip, sample: question }, rule)
      const seconds = indices.map(index => index / framesPerSecond)
      const stated = question.fields.duration
      const durationSeconds = typeof stated === 'number' ? stated : clip.durationSeconds
      const text = await wordsOf(question, { seconds, durationSeconds })
      chosen.shown.push({ ...question, shown: { text, indices, framesPerSecond } })
    } catch (error) {
      chosen.faults.push({ question, error })
    }
  }
  return chosen
}

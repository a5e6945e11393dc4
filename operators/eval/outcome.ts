import { messageOf } from '../../engine/shared/errors.ts'
import type { Failure, FailureOutcome, Question } from '../question.ts'

/** What is wrong with a clip, or with what a row says about it: trying again with the same files gives the same. */
const outcomes: Readonly<Record<string, FailureOutcome>> = {
  'no-file': 'clip-missing',
  damaged: 'clip-damaged',
  'not-a-video': 'clip-damaged',
  'no-video-stream': 'clip-damaged',
  'no-frames': 'clip-damaged',
  'no-frame-rate': 'clip-damaged',
  'decode-failed': 'clip-damaged',
  'bad-folder': 'clip-damaged',
  Z_DATA_ERROR: 'clip-damaged',
  Z_BUF_ERROR: 'clip-damaged',
  'bad-subtitles': 'error',
  'bad-bounds': 'error',
  'bad-index': 'error',
}

/**
 * The failure that an error is for its question. Every other error says nothing about the clip (a full disk, a busy
 * machine, a process that was killed, a lost device, an abort) and is thrown on: the run ends, the question stays open.
 */
export function failureOf(error: unknown): Failure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const outcome = Object.hasOwn(outcomes, code) ? outcomes[code] : undefined
  if (outcome === undefined) throw error
  return { outcome, message: messageOf(error) }
}

/** What becomes of questions that `error` keeps from being asked; those with a result keep it. */
export function failedQuestions(questions: readonly Question[], error: unknown): Question[] {
  const failure = failureOf(error)
  return questions
    .filter(({ hasResult }) => !hasResult)
    .flatMap(question =>
      (question.repeats ?? [0]).map(repeat => ({ ...question, repeat, failure, seconds: {} })),
    )
}

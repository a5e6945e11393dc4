import { digestAt } from '../file-digests.ts'
import { type Digests, isFailure, type Question } from '../question.ts'
import { digestOf, goldDigest, questionDigest } from '../question-digests.ts'
import type { ClipQuestions } from './clip-questions.ts'
import type { OpenedResults } from './results/opening.ts'
import { type Recipe, recipeDigests } from './results/recipe-fields.ts'
import { isCurrent, questionOf, type Result } from './results/result.ts'
import { readResult, resultPath, setAside } from './results/store.ts'

export interface LookUpSettings {
  folder: string
  recipe: Recipe
  /** Results of earlier runs that are asked again although nothing has changed. */
  retry: 'none' | 'failures' | 'all'
  /** Answers to each question. */
  repeats: number
  /** Whether stored answers can be scored again without asking. */
  canScore: boolean
  /** Whether the answers depend on the true ones. */
  needsGold: boolean
  results: OpenedResults
  warn(line: string): void
}

/** A clip whose stored results were looked at. */
export interface SortedClip {
  clip: ClipQuestions
  /** Stored answers to score again. */
  stored: readonly Question[]
  /** Files of the results that are asked again. */
  replaced: readonly string[]
}

/** Looks at the stored results of a clip's questions: which are current, scored again, or asked again. */
export async function lookUpClip(
  { video, questions }: ClipQuestions,
  settings: LookUpSettings,
): Promise<SortedClip> {
  settings.results.check()
  const clip = await digestAt(video)
  const stored: Question[] = []
  const replaced: string[] = []
  const sorted: Question[] = []
  for (const question of questions) {
    const digests = {
      ...recipeDigests(settings.recipe),
      question: questionDigest(question),
      gold: goldDigest(question),
      clip: await withSubtitles(clip, question),
    }
    const repeats: number[] = []
    for (let repeat = 0; repeat < settings.repeats; repeat++) {
      const path = resultPath(settings.folder, question.fields.id, repeat)
      const result = readResult(path, setAside(settings.warn))
      const what = fate(result, path, { digests, clip: question.fields.clip }, settings)
      if (what === 'ask') repeats.push(repeat)
      if (what === 'ask' && result) replaced.push(path)
      if (what === 'score' && result) stored.push(storedAnswer(result, question, digests))
    }
    const asked = repeats.length > 0
    sorted.push({ ...question, digests, hasResult: !asked, ...(asked && { repeats }) })
  }
  return { clip: { video, questions: sorted }, stored, replaced }
}

/** What becomes of a result. One whose clip has another place now is written anew with it, and nothing is asked. */
function fate(
  result: Result | undefined,
  path: string,
  { digests: { scoring, gold, ...asked }, clip }: { digests: Digests; clip: string },
  { retry, canScore, needsGold, results }: LookUpSettings,
): 'keep' | 'score' | 'ask' {
  if (!result?.digests || !isCurrent(result, asked)) return 'ask'
  const isRetried = retry === 'all' || (retry === 'failures' && isFailure(result.outcome))
  if (isRetried && !results.isOfNow(path)) return 'ask'
  // the judge is asked again, and not the model
  const isJudgedAgain = retry === 'failures' && result.outcome === 'unjudged' && !results.isOfNow(path)
  if (isJudgedAgain && canScore && isCurrent(result, { scoring, gold })) return 'score'
  if (isCurrent(result, { scoring, gold }) && result.clip === clip) return 'keep'
  return canScore && !(needsGold && result.digests.gold !== gold) ? 'score' : 'ask'
}

function storedAnswer(result: Result, question: Question, digests: Digests): Question {
  const { reply, failure, prompt, shown, judgement } = questionOf(result) as Question // one of the two has a reply
  const sheet = result.sheet ?? undefined
  return {
    ...question,
    digests,
    hasResult: true,
    ...(result.repeat !== undefined && { repeat: result.repeat }),
    ...(reply && { reply }),
    ...(failure && { failure }),
    ...(judgement && { judgement }),
    ...(prompt !== undefined && { prompt }),
    ...(shown && { shown: { ...shown, ...(sheet && { sheet }) } }),
  }
}

/** Subtitles join the words that a model reads, so their content counts as the clip's. */
async function withSubtitles(clip: string, { fields: { subtitles } }: Question): Promise<string> {
  if (!subtitles) return clip
  return digestOf([clip, await digestAt(subtitles.path)])
}

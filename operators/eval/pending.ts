import { setTimeout as delay } from 'node:timers/promises'
import { concat, defer, from } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import { type ClipQuestions, pendingOf } from './clip-questions.ts'
import { isFailure } from './results/result.ts'
import { agreeOnRecipe, openClaims, resultsFolder, storedResult } from './results/store.ts'

/**
 * Clips that another process has claimed are looked at again at the end: by then they are done, or their process is
 * gone. A folder with results of another recipe ends the run. A result that cannot be read counts as none.
 */
export default operator({
  summary: 'Passes on the clips that have questions without a result, and claims them for this process.',
  config: {
    folder: { type: 'string', default: '', description: 'Folder of the results; empty for one in the run.' },
    recipe: {
      type: 'object',
      description: "Everything that decides the results, with the run's seed; all runs on a folder agree.",
    },
    retry: {
      type: 'string',
      enum: ['none', 'failures', 'all'],
      default: 'failures',
      description:
        'Which questions are asked again that an earlier run has left a result of: failures are clips that were missing or damaged, and rows that could not be asked.',
    },
    claimSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 600,
      description: 'Age after which a claim of a process on another machine, or of one that hangs, is void.',
    },
    lookEverySeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 0.5,
      description: 'Time between two looks at the clips that other processes have claimed.',
    },
  },
  inputs: { clips: 'clip-questions' },
  outputs: { clips: 'clip-questions' },
  run: ({ clips }, { folder: given, recipe, retry, claimSeconds, lookEverySeconds }, context) => {
    const folder = resultsFolder(given, context)
    const claims = openClaims(folder, claimSeconds)
    const startedMs = Date.now()
    const marked = ({ video, questions }: ClipQuestions): ClipQuestions => ({
      video,
      questions: questions.map(question => {
        const stored = storedResult(folder, question.fields.id)
        if (!stored) return question
        const { path, result, writtenMs } = stored
        if (!result) context.log(`${path}: not a whole result; its question is asked again`)
        const isRetried =
          retry === 'all' || (retry === 'failures' && result !== undefined && isFailure(result.outcome))
        const isOpen = !result || (isRetried && writtenMs < startedMs)
        return { ...question, hasResult: !isOpen, isAskedAgain: isOpen }
      }),
    })
    const later: Item<ClipQuestions>[] = []
    const first = context.each((clip: ClipQuestions, item): ClipQuestions | undefined => {
      const now = marked(clip)
      if (pendingOf(now.questions).length === 0) return undefined
      if (claims.take(clip.video)) return now
      later.push(item.derive(clip))
      return undefined
    })
    const second = context.each(async (clip: ClipQuestions): Promise<ClipQuestions | undefined> => {
      for (;;) {
        const now = marked(clip)
        if (pendingOf(now.questions).length === 0) return undefined
        if (claims.take(clip.video)) return now
        await delay(lookEverySeconds * 1000, undefined, { signal: context.signal })
      }
    })
    return {
      clips: defer(() => {
        agreeOnRecipe(folder, { ...recipe, seed: context.seed })
        return concat(clips.pipe(first), defer(() => from(later)).pipe(second))
      }),
    }
  },
})

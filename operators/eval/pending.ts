import { setTimeout as delay } from 'node:timers/promises'
import { concat, defer, from } from 'rxjs'
import { type Item, operator } from '../../engine/operator.ts'
import { type ClipQuestions, pendingOf } from './clip-questions.ts'
import { agreeOnRecipe, hasResult, openClaims, resultsFolder } from './results/store.ts'

/**
 * Clips that another process has claimed are looked at again at the end: by then they are done, or their process is
 * gone. A folder with results of another recipe ends the run.
 */
export default operator({
  summary: 'Passes on the clips that have questions without a result, and claims them for this process.',
  config: {
    folder: { type: 'string', default: '', description: 'Folder of the results; empty for one in the run.' },
    recipe: {
      type: 'object',
      description: "Everything that decides the results, with the run's seed; all runs on a folder agree.",
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
  run: ({ clips }, { folder: given, recipe, claimSeconds, lookEverySeconds }, context) => {
    const folder = resultsFolder(given, context)
    const claims = openClaims(folder, claimSeconds)
    const marked = ({ video, questions }: ClipQuestions): ClipQuestions => ({
      video,
      questions: questions.map(question => ({
        ...question,
        hasResult: hasResult(folder, question.fields.id),
      })),
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

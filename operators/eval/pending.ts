import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { concat, defer, filter, from, ignoreElements, share } from 'rxjs'
import { type Emission, type Item, operator } from '../../engine/operator.ts'
import { at } from '../../engine/shared/at.ts'
import { nodesAfter } from '../nodes-after.ts'
import type { Question } from '../question.ts'
import type { ClipQuestions } from './clip-questions.ts'
import { countsField, setsOf } from './frame-counts.ts'
import { openClaims } from './results/claims.ts'
import { sharedResults } from './results/opening.ts'
import { resultsFolder } from './results/store.ts'
import { recipeOf, seesGold } from './run-recipe.ts'
import { type LookUpSettings, lookUpClip, type SortedClip } from './stored-answers.ts'

/**
 * A result is kept as long as everything that decides it is what it was. Clips that another process has claimed are
 * looked at again at the end: by then they are done, or their process is gone.
 */
export default operator({
  summary:
    'Passes on the clips that have questions without a current result, and claims them for this process.',
  config: {
    folder: {
      type: 'string',
      writes: true,
      default: '',
      description: 'Folder of the results; empty for one in the run.',
    },
    recipe: {
      type: 'object',
      description:
        'Settings that decide the results, in addition to the seed, the files of the model and the config of the nodes that follow.',
    },
    retry: {
      type: 'string',
      enum: ['none', 'failures', 'all'],
      default: 'failures',
      description:
        'Which questions with a current result are asked again. failures: those whose clip was missing or damaged, and rows that could not be asked.',
    },
    repeats: {
      type: 'integer',
      minimum: 1,
      default: 1,
      description: 'Answers to each question, each drawn with a seed of its own.',
    },
    counts: countsField,
    claimSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 600,
      description:
        'Age after which a claim is void, for claims of processes on other machines or of processes that hang.',
    },
    lookEverySeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 0.5,
      description: 'Time between two looks at the clips that other processes have claimed.',
    },
  },
  inputs: { clips: 'clip-questions' },
  outputs: {
    clips: 'clip-questions',
    answers: {
      kind: 'answer',
      optional: true,
      description: 'Stored answers that are scored again, because the scorer or the true answer has changed.',
    },
  },
  drops: true,
  serial: true,
  run: (
    { clips },
    { folder: given, recipe, retry, repeats, counts, claimSeconds, lookEverySeconds },
    context,
  ) => {
    const sets = setsOf(resultsFolder(given, context), counts)
    const claims = openClaims(at(sets, 0).folder, claimSeconds)
    const warn = (line: string) => context.log(line, 'warn')
    const opened: (LookUpSettings & { count: number | undefined })[] = []
    const begin = async () => {
      const canScore = context.parts.some(({ from }) => from.includes(`${context.node}.answers`))
      const needsGold = seesGold(nodesAfter(context.node, context.parts))
      for (const { count, folder } of sets) {
        const stated = { ...recipe, ...(count && { frames: count }), ...(repeats > 1 && { repeats }) }
        const whole = await recipeOf(stated, context, count)
        const results = await sharedResults(folder, whole, context)
        opened.push({ count, folder, recipe: whole, retry, repeats, canScore, needsGold, results, warn })
      }
    }
    const lookUp = async ({ video, questions }: ClipQuestions): Promise<SortedClip> => {
      if (opened.length === 0) throw new Error('eval.pending: must open the folder of the results first')
      const sorted: SortedClip[] = []
      for (const { count, ...settings } of opened) {
        const counted = count === undefined ? questions : questions.map(question => ({ ...question, count }))
        sorted.push(await lookUpClip({ video, questions: counted }, settings))
      }
      return {
        clip: { video, questions: sorted.flatMap(({ clip }) => clip.questions) },
        stored: sorted.flatMap(({ stored }) => stored),
        replaced: sorted.flatMap(({ replaced }) => replaced),
      }
    }
    const emitted = ({ clip, stored, replaced }: SortedClip): Emission<ClipQuestions | Question>[] => {
      for (const path of replaced) rmSync(path, { force: true })
      const answers = stored.map(answer =>
        context.emit<ClipQuestions | Question>(answer, { key: answer.fields.id }),
      )
      const asks = clip.questions.some(({ hasResult }) => !hasResult)
      return asks ? [context.emit<ClipQuestions | Question>(clip), ...answers] : answers
    }
    const isDone = ({ clip, stored }: SortedClip) =>
      stored.length === 0 && clip.questions.every(({ hasResult }) => hasResult)
    const later: Item<ClipQuestions>[] = []
    const first = context.each(async (clip: ClipQuestions, item) => {
      if (context.leaves(item)) return undefined
      const sorted = await lookUp(clip)
      if (isDone(sorted)) return undefined
      if (claims.take(clip.video)) return emitted(sorted)
      later.push(item.derive(clip))
      return undefined
    })
    const second = context.each(async (clip: ClipQuestions, item) => {
      while (!context.leaves(item)) {
        const sorted = await lookUp(clip)
        if (isDone(sorted)) return undefined
        if (claims.take(clip.video)) return emitted(sorted)
        await delay(lookEverySeconds * 1000, undefined, { signal: context.signal })
      }
      return undefined
    })
    const all = concat(
      defer(() => from(begin())).pipe(ignoreElements()),
      clips.pipe(first),
      defer(() => from(later)).pipe(second),
    ).pipe(share())
    // their results are in the folder until they are replaced
    const leave = (answer: ClipQuestions | Question, item: Item) =>
      context.leaves(item) ? undefined : answer
    const isClip = ({ value }: Item<ClipQuestions | Question>) => 'questions' in value
    return {
      clips: all.pipe(filter(isClip)),
      answers: all.pipe(
        filter(item => !isClip(item)),
        context.each(leave),
      ),
    }
  },
})

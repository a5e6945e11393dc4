import type { Finding, GraphPart } from '../../engine/operator.ts'
import { nodesAfter } from '../nodes-after.ts'
import { type FailureOutcome, type Outcome, outcomes, type Question } from '../question.ts'
import { troubleOf } from '../trouble.ts'
import { listed } from './listed.ts'

/** Clips that are known to be broken, and what becomes of the questions about them. */
export type BrokenClips = ReadonlyMap<string, FailureOutcome>

/**
 * A finding where an evaluation that follows the node would fail at its end, since more of its questions are about broken clips than
 * it allows. It has the words that the evaluation would end with.
 */
export function unaskableQuestions(
  questions: readonly Question[],
  broken: BrokenClips,
  node: string,
  parts: readonly GraphPart[],
): Finding[] {
  const failing = questions.filter(({ video }) => broken.has(video))
  if (failing.length === 0) return []
  const after = nodesAfter(node, parts)
  const repeats = Number(after.find(({ type }) => type === 'eval.pending')?.config.repeats ?? 1)
  const counts = Object.fromEntries(outcomes.map(outcome => [outcome, 0])) as Record<Outcome, number> // every outcome is a key
  for (const { video } of questions) counts[broken.get(video) ?? 'right'] += repeats
  const isAll = failing.length === questions.length
  const to = Math.ceil((100 * failing.length) / questions.length) / 100
  const about = listed(failing.map(({ fields, video }) => `${fields.id} (${video})`))
  for (const { type, name, config } of after) {
    const trouble = type === 'eval.record' ? troubleOf(counts, Number(config.failOnError)) : undefined
    if (trouble === undefined) continue
    const put = 'put these clips in place'
    return [
      {
        field: 'path',
        rule: 'must name clips that can be decoded',
        lines: [trouble, `questions without a clip that can be decoded: ${about}`],
        code: 'broken-clips',
        remedy: `${put}, or ${isAll ? 'name the folder that holds them' : 'leave their questions out'}`,
        ...(!isAll && { raise: { node: name, field: 'failOnError', to } }),
      },
    ]
  }
  return []
}

import { readVerdict } from '../judge/verdict.ts'
import { answerPart } from '../judge/wording.ts'
import type { Judgement, OpenQuestion, Reply, Verdict } from '../question.ts'
import { plainWords } from './option-words.ts'
import type { ScorerName } from './scorers.ts'

interface OpenAnswer {
  reply: Reply
  truth: string | null
  open: OpenQuestion
  judgement: Judgement | undefined
}

/**
 * The verdict on an answer in one's own words. The base system's rule decides by itself; else a judge does. Without one an
 * answer that equals the true one is right, and every other has no verdict.
 */
export function judgeOpen({ reply, truth, open, judgement }: OpenAnswer, scorer: ScorerName): Verdict {
  const said = answerPart(reply.text)
  const none = { chosen: null, drawn: false }
  if (said === '') return { outcome: reply.finished ? 'unparsed' : 'truncated', ...none }
  if (judgement) {
    const { fault, said: text } = judgement
    const verdict = fault === undefined && text !== null ? readVerdict(open.rule, text) : undefined
    if (!verdict) return { outcome: 'unjudged', ...none }
    const { credit, extracted, marks } = verdict
    const outcome = credit === 1 ? 'right' : 'wrong'
    return { outcome, chosen: extracted ?? null, drawn: false, credit, ...(marks && { marks }) }
  }
  if (truth === null) return { outcome: 'wrong', ...none, credit: 0 }
  if (scorer === 'option' && open.rule === 'answer') {
    const isRight = contained(reply.text, truth)
    return { outcome: isRight ? 'right' : 'wrong', ...none, credit: isRight ? 1 : 0 }
  }
  const isEqual = plainWords(said) !== '' && plainWords(said) === plainWords(truth)
  return isEqual ? { outcome: 'right', ...none, credit: 1 } : { outcome: 'unjudged', ...none }
}

/** The base system's rule: the shorter of output and true answer is in the other. Its scripts count an empty output as right. */
function contained(output: string, truth: string): boolean {
  const [one, other] = [output.toLowerCase(), truth.toLowerCase()]
  return output.length > truth.length ? one.includes(other) : other.includes(one)
}

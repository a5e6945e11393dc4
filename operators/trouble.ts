import { isFailure, type Outcome, outcomes } from './question.ts'

/** Why an evaluation's accuracy should not be trusted, or undefined. */
export function troubleOf(
  counts: Readonly<Record<Outcome, number>>,
  failOnError: number,
): string | undefined {
  const failures = outcomes.filter(isFailure).filter(outcome => counts[outcome] > 0)
  const failed = failures.reduce((sum, outcome) => sum + counts[outcome], 0)
  const done = outcomes.reduce((sum, outcome) => sum + counts[outcome], 0)
  const list = failures.map(outcome => `${counts[outcome]} ${outcome}`).join(', ')
  if (failed > 0 && failed === done) return `no clip could be seen (${list})`
  const { unjudged } = counts
  if (unjudged > 1 && unjudged > failOnError * done)
    return `${unjudged} of ${done} answers have no verdict, more than failOnError=${failOnError} allows: they are stored, and the next run with a judge (judge=chat, http or model) judges them`
  if (failed <= 1 || failed <= failOnError * done) return undefined
  return `${failed} of ${done} questions could not be asked (${list}), more than failOnError=${failOnError} allows`
}

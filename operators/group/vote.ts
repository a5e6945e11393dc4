import { operator } from '../../engine/operator.ts'
import type { Group } from '../kinds.ts'
import { groupPort } from '../ports.ts'
import { withNamed } from '../reward/with-reward.ts'
import { answerBetweenTags } from '../text/answer-tags.ts'
import { strip } from '../text/python.ts'

/** A completion without answer tags has no vote. Of answers with equal votes, the one that came first wins. */
export default operator({
  summary:
    'Keeps one completion of each group: the first with the answer that most of them give between answer tags (majority vote).',
  config: {
    name: {
      type: 'string',
      default: 'votes',
      description: 'Named reward of the kept completion: the share of the completions that gave its answer.',
    },
  },
  inputs: { groups: groupPort },
  outputs: { groups: { kind: 'group', shape: [1, 'T'], holds: 'groups' } },
  marks: ({ name }) => ({ adds: [name] }),
  drops: false,
  run: ({ groups }, { name }, context) => ({
    groups: groups.pipe(
      context.each((group: Group) => {
        const { index, share } = elected(group.completions.map(({ text }) => text))
        const kept = { ...group, completions: group.completions.slice(index, index + 1) }
        return withNamed(kept, name, [share])
      }),
    ),
  }),
})

/** The first text with the answer of most votes, and its share of all texts; without any answer the first text, with 0. */
export function elected(texts: readonly string[]): { index: number; share: number } {
  const votes = new Map<string, { index: number; count: number }>()
  for (const [index, text] of texts.entries()) {
    const answer = answerBetweenTags(text, { edges: true })
    if (answer === undefined) continue
    const said = strip(answer)
    const before = votes.get(said) ?? { index, count: 0 }
    votes.set(said, { ...before, count: before.count + 1 })
  }
  const [winner = { index: 0, count: 0 }] = [...votes.values()].sort((a, b) => b.count - a.count)
  return { index: winner.index, share: winner.count / Math.max(texts.length, 1) }
}

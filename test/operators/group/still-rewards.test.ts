// A named reward that never differs is told of once.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { operator } from '../../../engine/operator.ts'
import record from '../../../operators/group/record.ts'
import { addGroup, atEnd, nothingSeen } from '../../../operators/group/still-rewards.ts'
import type { Group } from '../../../operators/kinds.ts'
import { groupOf } from '../group.ts'
import { runGraph } from '../run-graph.ts'

type Rewards = Readonly<Record<string, number | null>>

const completionsOf = (count: number, rewardsOf: (index: number) => Rewards) =>
  groupOf(Array.from({ length: count }, (_, i) => ({ rewards: rewardsOf(i), reward: i }))).completions

t.test('it is told after five questions and forty completions, once', async t => {
  const seen = nothingSeen()
  const said = Array.from({ length: 12 }, (_, question) =>
    addGroup(
      seen,
      completionsOf(8, i => ({
        brevity: 0,
        judge: null,
        format: 0.5,
        accuracy: question === 3 && i === 7 ? 1 : 0,
      })),
    ),
  )
  t.match(
    said[4],
    /^the reward "brevity" was 0, and "judge" was no number \(null\), and "format" was 0\.5 for all 40 completions of the first 5 questions/,
  )
  t.same(said.filter(line => line !== undefined).length, 1)
  t.equal(atEnd(seen), undefined)
})

t.test('the words fit the value: what is always 1 is not said to be sought in vain', async t => {
  const said = (rewards: Rewards) => {
    const seen = nothingSeen()
    const told = Array.from({ length: 5 }, () =>
      addGroup(
        seen,
        completionsOf(8, () => rewards),
      ),
    )
    return told.at(-1) ?? ''
  }
  t.match(said({ short: 1 }), /With 1, is what it asks for always fulfilled/)
  t.notMatch(said({ short: 1 }), /find what it looks for/)
  t.match(said({ tags: 0 }), /With 0, does it find what it looks for/)
  t.notMatch(said({ tags: 0 }), /always fulfilled/)
  t.match(said({ judge: null }), /With null, does it apply to these questions/)
  t.equal(said({ tags: 0, letter: 0 }).split('With 0').length, 2, 'one question for one value')
})

t.test('a reward that differs, or that comes later, is not still', async t => {
  const seen = nothingSeen()
  for (let question = 0; question < 20; question++)
    t.equal(
      addGroup(
        seen,
        completionsOf(4, i => (question === 0 ? { a: i } : { a: i % 2, late: 1 })),
      ),
      undefined,
    )
})

t.test('the end of a short run tells of it, if it was no matter of a few completions', async t => {
  for (const [questions, tells] of [
    [3, true],
    [2, false],
  ] as const) {
    const seen = nothingSeen()
    for (let i = 0; i < questions; i++)
      addGroup(
        seen,
        completionsOf(8, () => ({ brevity: 0 })),
      )
    t.equal(atEnd(seen) !== undefined, tells, `${questions} questions of 8 completions`)
  }
})

t.test('a run warns of it in its log', async t => {
  const source = operator({
    summary: 'Gives six groups.',
    config: {},
    inputs: {},
    outputs: { groups: 'group' },
    run: (_inputs, _config, context) => ({
      groups: context.source<Group>(async function* () {
        for (let i = 0; i < 6; i++)
          yield {
            key: String(i),
            value: { ...groupOf([]), completions: completionsOf(8, () => ({ mine: 0 })) },
          }
      }),
    }),
  })
  const nodes = {
    source: { operator: 'source' },
    record: { operator: 'record', from: { groups: 'source.groups' } },
    end: { operator: 'collect', from: { items: 'record.groups' } },
  }
  const run = await runGraph({ nodes }, { source, record }, { directory: t.testdir() })
  t.equal(run.status, 'completed', run.error?.message ?? '')
  const lines = readFileSync(join(run.directory, 'log.txt'), 'utf8').split('\n')
  const warnings = lines.filter(line => line.includes('the reward "mine" was 0 for all 40 completions'))
  t.equal(warnings.length, 1)
})

import t from 'tap'
import { faultsOf } from '../../../engine/testing/index.ts'
import { reward } from '../../../operators/reward/reward.ts'
import { runOver } from '../context.ts'
import { groupOf } from '../group.ts'

const brief = reward(
  'brief',
  'Gives 1 to a completion of few tokens.',
  ({ ids }, { config }) => (ids.length <= config.most ? 1 : 0),
  { most: { type: 'integer', default: 2, description: 'Most tokens.' } },
)
const groups = { port: 'groups', values: [groupOf([{ ids: [1] }, { ids: [1, 2, 3], reward: 4 }])] }

t.test('a score becomes a named reward of each completion', async t => {
  t.strictSame(brief.config.weight.default, 1, 'a reward that is put into a graph counts')
  t.match(await runOver(brief, { most: 2, weight: 0 }, groups, 'groups'), [
    {
      completions: [
        { rewards: { brief: 1 }, reward: undefined },
        { rewards: { brief: 0 }, reward: 4 },
      ],
    },
  ])
  t.strictSame(await faultsOf(brief, { items: { groups: groups.values } }), [])
})

t.test('with a weight, it is added to the combined reward', async t => {
  t.match(await runOver(brief, { most: 3, weight: 0.5 }, groups, 'groups'), [
    { completions: [{ reward: 0.5 }, { reward: 4.5 }] },
  ])
})

t.test('a score may ask for the question, and take its time', async t => {
  const asks = reward('asks', 'Compares with the solution.', async ({ text }, { sample }) =>
    text === sample.solution ? 1 : null,
  )
  const input = { port: 'groups', values: [groupOf([{ text: 'C' }, { text: 'B' }])] }
  t.match(await runOver(asks, { weight: 1 }, input, 'groups'), [
    {
      completions: [
        { rewards: { asks: 1 }, reward: 1 },
        { rewards: { asks: null }, reward: undefined },
      ],
    },
  ])
})

for (const [value, found] of [
  [undefined, 'undefined'],
  [Number.NaN, 'NaN'],
  ['1', '"1"'],
] as const) {
  t.test(`a score of ${found} is an error that names the sample and the reward`, async t => {
    // the cast: a plugin in JavaScript returns what it likes
    const wrong = reward('odd', 'Gives nonsense.', () => value as unknown as number)
    await t.rejects(runOver(wrong, { weight: 0 }, groups, 'groups'), {
      code: 'bad-reward',
      message: `sample sample: reward "odd" of completion 1 of 2, "": must be a finite number, or null where it does not apply, found ${found}: let the score return a number for every text, also for an empty one, or null to leave it out`,
    })
  })
}

t.test(
  'a reward beyond float32 is an error that shows the completion: it would make every advantage 0',
  async t => {
    const huge = reward('huge', 'Overflows.', ({ text }) => (text === 'long' ? -1e300 : 1))
    const values = [groupOf([{ text: 'short' }, { text: 'long' }])]
    await t.rejects(runOver(huge, { weight: 0 }, { port: 'groups', values }, 'groups'), {
      code: 'bad-reward',
      message:
        /^reward "huge" of completion 2 of 2, "long": must be a number that float32 holds, from -3\.4e38 to 3\.4e38, found -1e\+300: bound the score/,
    })
  },
)

t.test('a weight that takes the combined reward beyond float32 is such an error, too', async t => {
  const large = reward('large', 'Is large.', () => 1e30)
  await t.rejects(runOver(large, { weight: 1e30 }, groups, 'groups'), {
    code: 'bad-reward',
    message: /^the combined reward of completion 1 of 2, "": .* found 1\S*e\+60/,
  })
})

t.test('what a score throws or returns in vain is told with the place where the reward was made', async t => {
  const faults = [
    [
      reward('text', 'Throws a text.', () => {
        throw 'no number'
      }),
      /^sample sample: reward "text" of completion 1 of 2, "": must return a number or throw an Error, threw "no number": write/,
    ],
    [reward('none', 'Gives NaN.', () => Number.NaN), /found NaN/],
    [reward('huge', 'Overflows.', () => 1e300), /found 1e\+300/],
  ] as const
  for (const [wrong, message] of faults) {
    const error = await runOver(wrong, { weight: 0 }, groups, 'groups').catch((error: unknown) => error)
    t.match(error, { code: 'bad-reward', message })
    t.match(error instanceof Error && error.cause, { stack: /reward\.test/ })
  }
  const broken = reward('broken', 'Throws.', () => {
    throw new TypeError('its own')
  })
  await t.rejects(runOver(broken, { weight: 0 }, groups, 'groups'), { name: 'TypeError', message: 'its own' })
})

import { filter, map } from 'rxjs'
import t from 'tap'
import { type Operator, operator } from '../../../engine/operator.ts'
import { type ConformanceOptions, faultsOf } from '../../../engine/testing/index.ts'
import { operators } from '../../../operators/index.ts'

const group = {
  prompt: { sample: { video: 'v', question: 'q', solution: 'A', fields: {} }, text: '', ids: [1] },
  completions: [
    { ids: [1, 2], text: '<think> so </think><answer> A </answer>', finished: true, reward: 1 },
    { ids: [1, 3], text: 'B', finished: true, reward: 0 },
  ],
  policyVersion: 0,
  generateSeconds: 0,
}
const groups = { items: { groups: [group] } }

/** What operators that need neither a GPU nor files are tried with. */
const ours: Readonly<Record<string, ConformanceOptions>> = {
  'grpo.advantage': groups,
  'grpo.filter': groups,
  'reward.accuracy-format': groups,
  'reward.overlong': { ...groups, config: { length: 10, buffer: 5 } },
  'reward.repetition': groups,
  'stream.batch': { config: { size: 3 } },
  'stream.join': {},
  'stream.take': { config: { count: 5 } },
}

t.setTimeout(800_000)

for (const [name, options] of Object.entries(ours)) {
  t.test(`${name} conforms`, async t => {
    const subject: Operator | undefined = Object.entries(operators).find(([known]) => known === name)?.[1]
    if (!subject) throw new Error(`no operator ${name}`)
    t.same(await faultsOf(subject, options), [])
  })
}

const base = {
  summary: 'Is a bad example.',
  config: {},
  inputs: { items: 'any' },
  outputs: { items: 'any' },
} as const

t.test('an operator that is no good is told why', async t => {
  const shapeless = operator({ ...base, summary: 'no sentence', run: ({ items }) => ({ items }) })
  t.match(await faultsOf(shapeless), [/^summary: must be a sentence/])
  const failing = operator({
    ...base,
    run: ({ items }, _, context) => ({
      items: items.pipe(
        context.each(() => {
          throw new Error('always')
        }),
      ),
    }),
  })
  t.match(await faultsOf(failing), [
    /^many items: must end as completed, ended as failed: .*always/,
    /^one item: must end as completed, ended as failed: by the same error$/,
  ])
  const dropping = operator({
    ...base,
    run: ({ items }) => ({ items: items.pipe(filter(({ value }) => value === -1)) }),
  })
  t.match((await faultsOf(dropping, { seconds: 0.5 })).join('\n'), /many items: must end/)
  const hoarding = operator({
    ...base,
    credits: () => 1000,
    collects: () => 1,
    run: ({ items }) => ({
      items: items.pipe(
        map(item => {
          const next = item.derive(item.value)
          item.release()
          return next
        }),
      ),
    }),
  })
  t.same(await faultsOf(hoarding), [], 'what it declares is allowed')
})

t.test('an operator that says that it drops no item and drops some is told so', async t => {
  const dropping = operator({
    ...base,
    drops: false,
    run: ({ items }, _, context) => {
      let count = 0
      return { items: items.pipe(context.each(value => (count++ % 2 === 0 ? value : undefined))) }
    },
  })
  t.match(await faultsOf(dropping), [
    /^many items: must drop none, as it says, gave 6 of 12 items at "items"$/,
  ])
})

t.test('every operator of flow says whether it drops items', async t => {
  const silent = Object.entries(operators).filter(
    ([, { inputs, outputs, drops }]: [string, Operator]) =>
      Object.keys(inputs).length > 0 && Object.keys(outputs).length > 0 && drops === undefined,
  )
  t.same(
    silent.map(([name]) => name),
    [],
  )
})

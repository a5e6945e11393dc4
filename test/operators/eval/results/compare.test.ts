import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { compareResults, describeComparison } from '../../../../operators/eval/results/compare.ts'
import { mergeResults } from '../../../../operators/eval/results/merge.ts'
import { recipeDigests } from '../../../../operators/eval/results/recipe-fields.ts'
import { madeFolder, madeResult } from './made-results.ts'

t.test('questions that are not the same in both are counted by what differs, and not compared', async t => {
  const folder = t.testdir()
  const recipe = { model: 'm' }
  const digests = { ...recipeDigests(recipe), question: 'q', gold: 'g', clip: 'c' }
  const names = ['same', 'gold', 'options', 'order', 'words', 'instruction', 'task', 'clip']
  const first = names.map(id => madeResult(id, 'B', { digests }))
  const second = [
    madeResult('same', 'A', { digests, clip: 'elsewhere/same.mp4' }),
    madeResult('gold', 'B', { answer: 'B', outcome: 'right' }),
    madeResult('options', 'A', {
      options: ['x', 'y', 'other'],
      question: 'Which?\nA. x\nB. y\nC. other\nAnswer with a letter.',
    }),
    madeResult('order', 'B', {
      options: ['z', 'x', 'y'],
      answer: 'B',
      outcome: 'right',
      question: 'Which?\nA. z\nB. x\nC. y\nAnswer with a letter.',
    }),
    madeResult('words', 'A', { question: 'Which one?\nA. x\nB. y\nC. z\nAnswer with a letter.' }),
    madeResult('instruction', 'A', { question: 'Which?\nA. x\nB. y\nC. z\nThink first.' }),
    madeResult('task', 'A', { tasks: ['another'] }),
    madeResult('clip', 'A', { digests: { ...digests, clip: 'd' } }),
  ]
  const comparison = compareResults(
    madeFolder(join(folder, 'a'), first, { recipe }),
    madeFolder(join(folder, 'b'), second, { recipe }),
  )
  t.strictSame(comparison.differing, {
    'true answer': 1,
    options: 2,
    words: 1,
    instruction: 1,
    'task or group': 1,
    clip: 1,
  })
  t.strictSame(
    comparison.gained.map(({ id }) => id),
    ['same', 'instruction', 'task', 'clip'],
  )
  t.strictSame([comparison.first, comparison.second], [0, 1], 'of the four that are compared')
  t.match(
    describeComparison(comparison)[1],
    'questions that differ: 1 with another true answer, left out; 2 with other options, left out; 1 with other words, left out; 1 with another instruction, compared all the same; 1 with another task or group, compared all the same; 1 with another clip, compared all the same',
  )
})

t.test(
  'the same questions under other ids, as of a CSV and of JSON lines, are compared by what they are',
  async t => {
    const folder = t.testdir()
    const first = ['mine/0', 'mine/1'].map((id, i) => madeResult(id, 'B', { clip: `${i}.mp4` }))
    const second = ['yours/7', 'yours/8'].map((id, i) => madeResult(id, 'A', { clip: `${1 - i}.mp4` }))
    const [one, two] = [madeFolder(join(folder, 'a'), first), madeFolder(join(folder, 'b'), second)]
    const comparison = compareResults(one, two)
    t.strictSame([comparison.difference.observations, comparison.first, comparison.second], [2, 0, 1])
    t.match(
      describeComparison(comparison)[1],
      'no id is in both: paired by clip, words, options and true answer',
    )
    const other = madeFolder(join(folder, 'c'), [madeResult('theirs/0', 'A', { clip: 'another.mp4' })])
    t.throws(() => compareResults(one, other), {
      message: /has no question that .* has, neither by its id nor/,
    })
  },
)

t.test('a file, a run and a folder without a recipe are told from a folder of an evaluation', async t => {
  const folder = t.testdir({ 'q.csv': '', run: {}, bare: {} })
  const good = madeFolder(join(folder, 'run', 'evaluation'), [madeResult('q', 'A')])
  const bare = madeFolder(join(folder, 'bare'), [madeResult('q', 'A')])
  rmSync(join(bare, 'recipe.json'))
  for (const [place, found] of [
    ['q.csv', /q\.csv: must be a folder of an evaluation, found a file/],
    ['run', /run: must be a folder of an evaluation, found those of its run in .*run\/evaluation/],
    ['bare', /bare: must be a folder of an evaluation, found no recipe\.json/],
  ] as const)
    t.throws(() => compareResults(join(folder, place), good), { message: found })
})

t.test('evaluations that ask no question alike are not compared', async t => {
  const folder = t.testdir()
  const one = madeFolder(join(folder, 'a'), [madeResult('q', 'A')])
  const two = madeFolder(join(folder, 'b'), [madeResult('q', 'A', { answer: 'B', outcome: 'wrong' })])
  t.throws(() => compareResults(one, two), { code: 'no-results', message: /1 with another true answer/ })
})

t.test(
  'shards with other true answers, options or clips are not merged, and the message names the questions',
  async t => {
    const folder = t.testdir()
    const recipe = { model: 'm' }
    const ids = ['1', '2', '3']
    const part = (name: string, id: string, shard: number, change: object = {}) =>
      madeFolder(join(folder, name), [madeResult(id, 'A')], {
        recipe,
        shard: [shard, 2],
        ids,
        listed: one => ({ ...one, gold: 'g', question: 'q', ...(one.id === '2' ? change : {}) }),
      })
    const first = part('a', '1', 1)
    const refused = (change: object) =>
      mergeResults(join(folder, 'out'), [first, part(JSON.stringify(change), '2', 2, change)])
    await t.rejects(refused({ gold: 'h' }), {
      code: 'other-recipe',
      message: /must be made like .*, differs in the true answer, task or group of 1 question: 2/,
    })
    await t.rejects(refused({ question: 'r' }), {
      message: /differs in the words, options or frames of 1 question: 2/,
    })
    await t.rejects(refused({ clip: 'other.mp4' }), { message: /differs in the clip of 1 question: 2/ })
    await t.rejects(refused({ clip: 'videos/2.mkv' }), { code: 'incomplete' }, 'it may lie in another folder')
  },
)

t.test(
  'a folder of a version that noted no digests is not merged with a newer one, and says why',
  async t => {
    const folder = t.testdir()
    const old = madeFolder(join(folder, 'old'), [madeResult('1', 'A')], {
      recipe: { model: 'm' },
      ids: ['1', '2'],
    })
    const now = madeFolder(join(folder, 'now'), [madeResult('2', 'A')], {
      recipe: { model: 'm', weights: 'w', flow: '0.1.0' },
      ids: ['1', '2'],
      listed: one => ({ ...one, gold: 'g', question: 'q' }),
    })
    await t.rejects(mergeResults(join(folder, 'out'), [now, old]), {
      code: 'other-recipe',
      message: /old: was made by an earlier version of flow.*evaluate into it again with this version/,
    })
  },
)

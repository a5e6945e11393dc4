import { join } from 'node:path'
import t from 'tap'
import { agreeOnRecipe, putResult, writeBenchmark } from '../../../../operators/eval/results/store.ts'
import { describeTable, tabulate } from '../../../../operators/eval/results/table.ts'

/** A folder with results: the first `right` of four questions are right. */
function folderOf(folder: string, benchmark: string, recipe: object, right: number, done = 4): string {
  const ids = ['1', '2', '3', '4']
  agreeOnRecipe(folder, { benchmark, ...recipe })
  writeBenchmark(folder, {
    name: benchmark,
    headline: 'micro',
    questions: ids.map(id => ({ id, clip: id })),
    excluded: [],
    findings: [],
    shard: 1,
    shards: 1,
  })
  for (const [i, id] of ids.slice(0, done).entries())
    putResult(folder, {
      id,
      benchmark,
      tasks: ['order'],
      groups: {},
      clip: id,
      question: 'Which?',
      options: ['x', 'y'],
      letters: ['A', 'B'],
      answer: 'A',
      outcome: i < right ? 'right' : 'wrong',
      chosen: i < right ? 'A' : 'B',
      drawn: false,
      output: 'A',
      tokens: 1,
      finished: true,
      prompt: null,
      indices: [],
      framesPerSecond: null,
      sheet: null,
      message: null,
    })
  return folder
}

t.test('a table has a row for each model, a column for each benchmark, and notes on recipes', async t => {
  const folder = t.testdir()
  const at = (name: string) => join(folder, name)
  const folders = [
    folderOf(at('1'), 'mlvu', { model: 'a_1', frames: 16, variant: 'limit 0' }, 2),
    folderOf(at('2'), 'lvbench', { model: 'a_1', frames: 16, variant: 'limit 9' }, 3),
    folderOf(at('3'), 'mlvu', { model: 'b|&', frames: 32, variant: 'limit 0' }, 1, 3),
  ]
  const table = tabulate(folders)
  t.strictSame(describeTable(table, 'markdown'), [
    '| model | mlvu, of all questions | lvbench, of all questions |',
    '| --- | ---: | ---: |',
    '| a_1 | 50.0 (12.5 to 87.5) | 75.0 (25.6 to 96.3) |',
    '| b\\|& | 33.3 (4.5 to 84.1) [1] [2] | – |',
    '',
    'Accuracy in %, in brackets its 95 % interval.',
    '[1] incomplete: 3 of 4 questions',
    '[2] frames: 32, elsewhere 16',
  ])
  const latex = describeTable(table, 'latex').join('\n')
  t.match(latex, 'a\\_1 & 50.0')
  t.match(latex, 'b|\\& & 33.3 (4.5 to 84.1)$^{1,2}$ & -- \\\\')
  const csv = describeTable(table, 'csv')
  t.equal(csv[0]?.split(',').length, 9)
  t.equal(csv[2], 'b|&,33.3,4.5,84.1,"incomplete: 3 of 4 questions; frames: 32, elsewhere 16",,,,')
})

t.test('what names a model is in no note, nor what a rehearsal without a model cannot have', async t => {
  const folder = t.testdir()
  const model = (name: string, more: object) =>
    folderOf(join(folder, name), 'mlvu', { answers: 'model', model: name, configuration: name, ...more }, 2)
  const oracle = folderOf(join(folder, 'o'), 'mlvu', { answers: 'oracle', frames: 4, form: 'x' }, 4)
  const { notes } = tabulate([
    model('a', { frames: 8, precision: 'float32' }),
    model('b', { frames: 8, precision: 'float16' }),
    oracle,
  ])
  t.strictSame(notes, ['precision: float16, elsewhere float32', 'frames: 4, elsewhere 8'])
})

t.test('two results of one model on one benchmark have rows of their own', async t => {
  const folder = t.testdir()
  const make = (name: string, frames: number) =>
    folderOf(join(folder, name), 'mlvu', { model: 'm', frames }, 2)
  const { rows, notes } = tabulate([make('one', 8), make('two', 16)])
  t.strictSame(
    rows.map(({ model }) => model),
    ['m (one)', 'm (two)'],
  )
  t.strictSame(notes, ['frames: 16, elsewhere 8'])
})

t.test('a folder without results is refused', async t => {
  t.throws(() => tabulate([t.testdir()]), { code: 'no-results' })
  const several = t.testdir({ 'frames-4': { 'recipe.json': '{}', 'benchmark.json': '{}' }, 'frames-8': {} })
  t.throws(() => tabulate([several]), {
    code: 'no-results',
    message: /one for each number of frames: .*frames-4$/,
  })
})

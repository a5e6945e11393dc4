import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import readResults from '../../../../operators/eval/read-results.ts'
import { compareResults, describeComparison } from '../../../../operators/eval/results/compare.ts'
import { writeComparisonPage } from '../../../../operators/eval/results/compare-page.ts'
import { exportResults } from '../../../../operators/eval/results/export.ts'
import { mergeResults } from '../../../../operators/eval/results/merge.ts'
import { repeatsIn, standing } from '../../../../operators/eval/results/repeats.ts'
import { writeReport } from '../../../../operators/eval/results/report.ts'
import { readBenchmark } from '../../../../operators/eval/results/store.ts'
import { describeTable, tabulate } from '../../../../operators/eval/results/table.ts'
import { runGraph } from '../../run-graph.ts'
import { answersOf, madeFolder, madeResult } from './made-results.ts'

const close = (found: number | null | undefined, wanted: number) =>
  Math.abs((found ?? Number.NaN) - wanted) < 1e-12

t.test('several answers to a question give a mean, a deviation, pass@k, maj@k and an agreement', async t => {
  // right: 2 of 4, 4 of 4, 0 of 4
  const results = [...answersOf('1', 'AABC'), ...answersOf('2', 'AAAA'), ...answersOf('3', 'BB-B')]
  const { mean, deviation, passAt, majorityAt, agreement } = repeatsIn(results, 4)
  t.ok(close(mean, 6 / 12))
  // accuracies of the rounds: 2/3, 2/3, 1/3, 1/3
  t.ok(close(deviation, Math.sqrt((4 * (1 / 6) ** 2) / 3)))
  t.ok(close(passAt[1], 0.5))
  // of two of the four answers to the first question one is right with 1 - C(2, 2) / C(4, 2)
  t.ok(close(passAt[2], (5 / 6 + 1 + 0) / 3))
  t.ok(close(passAt[4], 2 / 3))
  t.ok(close(majorityAt[1], 2 / 3))
  t.ok(close(majorityAt[4], 2 / 3))
  t.ok(close(agreement, (1 / 6 + 1 + 3 / 6) / 3))
})

t.test('stored answers are read with a key for each, also several to one question', async t => {
  const folder = t.testdir()
  const made = madeFolder(join(folder, 'made'), [...answersOf('1', 'AAB'), ...answersOf('2', 'BBB')], {
    recipe: { model: 'm', repeats: 3 },
  })
  const nodes = {
    read: { operator: 'read.results', config: { folder: made } },
    end: { operator: 'collect', from: { items: 'read.answers' } },
  }
  const { status, items, error } = await runGraph(
    { nodes },
    { 'read.results': readResults },
    { directory: folder },
  )
  t.equal(status, 'completed', error?.message ?? '')
  t.same(
    items.map(({ key }) => key),
    ['1', '2'].flatMap(id => [id, `${id} repeat 1`, `${id} repeat 2`]),
  )
})

t.test('a majority is of letters alone, and of equally many the one chosen first', async t => {
  const said = (letters: string) => standing(answersOf('q', letters))?.chosen
  t.equal(said('BAA'), 'A')
  t.equal(said('BA'), 'B')
  t.equal(said('--C'), 'C')
  t.equal(said('---'), null)
})

t.test(
  'questions that lack an answer are left out of the numbers of repeats, and one answer has no deviation',
  async t => {
    const { mean, agreement } = repeatsIn([...answersOf('1', 'AB'), ...answersOf('2', 'B')], 2)
    t.equal(mean, 0.5)
    t.equal(agreement, 0)
    t.equal(repeatsIn(answersOf('1', 'A'), 1).deviation, null)
    t.equal(repeatsIn([madeResult('n', '7', { credit: 0.4 })], 1).mean, 0.4, 'a number earns its credit')
  },
)

t.test('the report, its page, the export, the table and a comparison all tell what repeats show', async t => {
  const folder = t.testdir()
  const one = madeFolder(join(folder, 'one'), [...answersOf('1', 'AAB'), ...answersOf('2', 'BBB')], {
    recipe: { model: 'm', repeats: 3 },
  })
  const two = madeFolder(join(folder, 'two'), [...answersOf('1', 'ABB'), ...answersOf('2', 'AAB')], {
    recipe: { model: 'n', repeats: 3 },
  })
  const { summary } = await writeReport(one, readBenchmark(one))
  t.match(summary.repeats, { answers: 3, mean: 1 / 3, passAt: { 3: 0.5 }, majorityAt: { 3: 0.5 } })
  t.equal(summary.scores[0]?.observations, 2, 'the repeats of a question are one observation')
  const markdown = readFileSync(join(one, 'report.md'), 'utf8')
  t.match(markdown, /\| mean of 3 answers, all questions \| 33\.3 ± 28\.9 % \|/)
  t.match(markdown, /\| pass@3 \| 50\.0 % \|\n\| maj@1 [\s\S]*\| agreement \| 66\.7 % \|/)
  const page = readFileSync(join(one, 'report.html'), 'utf8')
  t.match(page, /33\.3 ± 28\.9 %/)
  t.match(page, /pass@3<\/th><td>50\.0 %/)
  const dataOf = (html: string) =>
    JSON.parse(gunzipSync(Buffer.from(/id="data">([^<]*)</.exec(html)?.[1] ?? '', 'base64')).toString())
  const { items, names } = dataOf(page)
  t.strictSame(
    items.map(({ mark, answers }: { mark: string; answers: unknown[] }) => [mark, answers.length]),
    [
      ['mixed', 3],
      ['wrong', 3],
    ],
    'a row for each question',
  )
  t.strictSame(names, ['answer 1', 'answer 2', 'answer 3'])
  const csv = readFileSync(join(one, 'report.csv'), 'utf8').split('\n')
  t.match(csv[0], /^id,repeat,/)
  t.match(csv[2], /^1,1,made/)
  exportResults(one, 'lmms-eval', join(folder, 'exported'))
  const [sample] = readFileSync(join(folder, 'exported/samples_made.jsonl'), 'utf8').split('\n')
  t.match(JSON.parse(sample ?? ''), {
    resps: [['A', 'A', 'B']],
    filtered_resps: ['A', 'A', 'B'],
    accuracy: { score: 2 / 3 },
  })
  const whole = JSON.parse(readFileSync(join(folder, 'exported/results.json'), 'utf8'))
  t.match(whole, { configs: { made: { repeats: 3 } }, 'n-samples': { made: { original: 2 } } })
  t.ok(close(whole.results.made['accuracy,none'], 100 / 3))
  t.match(describeTable(tabulate([one, two]), 'markdown').join('\n'), /\| m \| 33\.3 ± 28\.9 /)

  const comparison = compareResults(one, two)
  t.ok(close(comparison.first, 1 / 3))
  t.ok(close(comparison.second, 1 / 2))
  t.strictSame(comparison.gained, [{ id: '2', first: '0 of 3 right', second: '2 of 3 right' }])
  t.strictSame(comparison.lost, [{ id: '1', first: '2 of 3 right', second: '1 of 3 right' }])
  t.match(
    describeComparison(comparison).join('\n'),
    /first: 33\.3 ± 28\.9 % in 3 answers, pass@3 50\.0 %, maj@3 50\.0 %/,
  )
  await writeComparisonPage(join(folder, 'flips.html'), one, two)
  const flips = readFileSync(join(folder, 'flips.html'), 'utf8')
  t.match(flips, /Difference <b>\+16\.7<\/b>/)
  t.match(flips, /second: 50\.0 ± /)
  t.strictSame(
    dataOf(flips).items.map(({ mark }: { mark: string }) => mark),
    ['right → wrong', 'wrong → right'],
  )
})

t.test('shards with repeats merge, and one that lacks an answer is incomplete', async t => {
  const folder = t.testdir()
  const ids = ['1', '2']
  const part = (name: string, letters: string, shard: number) =>
    madeFolder(join(folder, name), answersOf(ids[shard - 1] ?? '', letters), {
      recipe: { model: 'm', repeats: 2 },
      shard: [shard, 2],
      ids,
    })
  const [one, two] = [part('a', 'AB', 1), part('b', 'AA', 2)]
  t.match(await mergeResults(join(folder, 'whole'), [one, two]), [
    /2 results/,
    /2 results/,
    /earlier version/,
    /complete: 2 of 2/,
  ])
  await t.rejects(mergeResults(join(folder, 'less'), [one, part('c', 'A', 2)]), { code: 'incomplete' })
})
